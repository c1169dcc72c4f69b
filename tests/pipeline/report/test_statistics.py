"""The page of statistics: complete, self-contained, escaped, and its charts."""

from pathlib import Path

import pytest

from builders import make_run
from html_document import Document
from pipeline.analytics.statistics import statistics_of
from pipeline.config.load import check_config
from pipeline.errors import UserError
from pipeline.report.charts import FLOW_WIDTH, flow_chart, steps
from pipeline.report.statistics import write_statistics
from pipeline.run_directory.reader import RunDirectory

BOX = (10.0, 10.0, 50.0, 90.0)
ROWS = [
    *(("a", n, 1, BOX) for n in range(10)),
    *(("b", n + 30, 1, BOX) for n in range(10)),
    *(("b", n + 60, 2, BOX) for n in range(10)),
]
IDS = {("a", 1): 1, ("b", 1): 1}
LINES = {"door": {"camera": "a", "points": [[0, 0], [0, 99]], "to_right": "in"}}


def page_of(run: Path, out: Path, **places: object) -> Document:
    config = check_config({"site": "shop", **places}, "the test")
    found = statistics_of(RunDirectory(run), config, every_s=1.0)
    return Document(write_statistics(found, out).read_text(encoding="utf-8"))


def test_the_page_says_who_was_where(tmp_path: Path) -> None:
    page = page_of(make_run(tmp_path / "run", ROWS, IDS), tmp_path / "page.html", lines=LINES)
    text = " ".join(page.text.split())
    assert "10 observations have no identity and are not counted" in text
    assert "1 person, 1 visit of 0.9 s on average, at most 0.9 s; 1 at once at most" in text
    assert "line direction crossings people door in 0 0 door left 0 0" in text
    assert "from to times people median on the way a b 1 1 2.1 s" in text
    labels = [tag["aria-label"] for tag in page.all("svg")]
    assert labels[0] == "People at once over time in shop, at most 1"
    assert labels[-1] == "Heat map of b"


def test_the_page_loads_nothing_and_runs_nothing(tmp_path: Path) -> None:
    page = page_of(make_run(tmp_path / "run", ROWS, IDS), tmp_path / "page.html")
    assert page.all("script") == []
    assert [tag["href"] for tag in page.all("link")] == ["data:,"]
    assert "default-src 'none'" in next(t["content"] for t in page.all("meta") if "content" in t)


def test_a_run_without_people_has_a_page(tmp_path: Path) -> None:
    page = page_of(make_run(tmp_path / "run", [], {}), tmp_path / "page.html")
    assert "Nobody was seen" in page.text
    assert page.all("svg") == []


def test_a_flow_shows_the_most_frequent_ways() -> None:
    ways = [("a", f"b{n}", 9 - n, 1, 2.0) for n in range(5)]
    flow = flow_chart(ways, 3)
    assert [band.destination for band in flow.bands] == ["b0", "b1", "b2"]
    assert flow.left_out == 2
    assert flow_chart(ways, 5).left_out == 0


def test_spans_that_are_no_round_numbers_fall_into_their_steps() -> None:
    starts = [n * 0.1 for n in range(17)]
    assert steps([(start, 2) for start in starts], 0.0, 1.65, 0.1) == [2] * 17
    assert steps([(0.3, 1)], 0.3, 0.3, 0.1) == [1]
    assert steps([], 0.0, 0.0, 0.1) == [0]


def test_a_page_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", ROWS, IDS)
    with pytest.raises(UserError, match=r"cannot write the statistics .*nowhere"):
        page_of(run, tmp_path / "nowhere" / "page.html")


def test_steps_are_even_and_the_greatest_counts() -> None:
    assert steps([], 0.0, 0.0, 60.0) == [0]
    assert steps([(60.0, 2), (180.0, 3)], 65.0, 190.0, 60.0) == [2, 0, 3]
    many = steps([(60.0 * n, n % 7) for n in range(1000)], 0.0, 60.0 * 999, 60.0)
    assert len(many) <= 400
    assert max(many) == 6


def test_a_flow_fills_both_sides() -> None:
    flow = flow_chart([("a", "b", 3, 2, 5.0), ("a", "c", 1, 1, 5.0), ("b", "a", 4, 2, 5.0)])
    assert [(node.label, node.times) for node in flow.origins] == [("a", 4), ("b", 4)]
    assert [(node.label, node.times) for node in flow.destinations] == [
        ("a", 4),
        ("b", 3),
        ("c", 1),
    ]
    assert {node.x for node in flow.origins} == {0.0}
    assert all(node.x < FLOW_WIDTH for node in flow.destinations)
    lowest = max(node.top + node.height for node in flow.destinations)
    assert lowest == pytest.approx(flow.height)
    assert [(band.origin, band.destination) for band in flow.bands] == [
        ("a", "b"),
        ("a", "c"),
        ("b", "a"),
    ]
