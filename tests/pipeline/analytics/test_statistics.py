"""All statistics of a run directory, and zones and lines that do not fit it."""

from pathlib import Path

import polars as pl
import pytest

from builders import make_run
from pipeline.analytics.statistics import Statistics, statistics_of
from pipeline.analytics.tables import write_tables
from pipeline.config.load import check_config
from pipeline.corrections.editor import Editor
from pipeline.errors import UserError
from pipeline.run_directory import reader
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.selection import EVERYTHING, Selection

# Two walk to the right through the picture of `a`, one after the other; then one to `b`.
ROWS = [
    *(("a", n, 1, (10.0 * n, 20.0, 10.0 * n + 20, 100.0)) for n in range(31)),
    *(("a", n + 40, 2, (10.0 * n, 20.0, 10.0 * n + 20, 100.0)) for n in range(31)),
    *(("b", n + 50, 1, (300.0 - 5 * n, 20.0, 320.0 - 5 * n, 100.0)) for n in range(21)),
    ("b", 3, 9, (0.0, 0.0, 9.0, 9.0)),
]
IDS = {("a", 1): 1, ("a", 2): 2, ("b", 1): 1}
TILL = {"camera": "a", "points": [[100, 50], [200, 50], [200, 150], [100, 150]]}
DOOR = {"camera": "a", "points": [[155, 0], [155, 480]], "to_right": "in", "to_left": "out"}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run", ROWS, IDS)


def statistics(path: Path, selection: Selection = EVERYTHING, **places: object) -> Statistics:
    config = check_config({"site": "shop", **places}, "the test")
    return statistics_of(RunDirectory(path, selection), config, every_s=1.0)


def test_a_run_without_rows_has_empty_tables(tmp_path: Path) -> None:
    found = statistics(make_run(tmp_path / "run", [], {}))
    assert found.places().is_empty()
    assert found.flow().is_empty()
    write_tables(found, "csv", tmp_path / "stats")
    assert (tmp_path / "stats" / "visits.csv").read_text().startswith("kind,place,global_id,start")


def test_people_are_counted_by_camera_zone_line_and_site(run: Path) -> None:
    found = statistics(run, zones={"till": TILL}, lines={"door": DOOR})
    assert found.places().select("kind", "place", "people", "visits", "most").rows() == [
        ("camera", "a", 2, 2, 1),
        ("camera", "b", 1, 1, 1),
        ("site", "shop", 2, 2, 2),
        ("zone", "till", 2, 2, 1),
    ]
    # The foot is in the zone in frames 9 to 19 of each.
    till = found.visits.filter(kind="zone").select("start", "end", "seconds").rows()
    assert till == [pytest.approx((0.9, 1.9, 1.0)), pytest.approx((4.9, 5.9, 1.0))]
    assert found.dwell.rows() == [pytest.approx(("till", 2, 2, 1.0, 1.0, 1.0))]
    assert found.lines.rows() == [("door", "in", 0, 0), ("door", "out", 2, 2)]
    assert found.flow().select("origin", "destination", "times", "median_s").rows() == [
        ("a", "b", 1, 2.0)
    ]
    assert (found.unidentified, int(found.heat["n"].sum())) == (1, 31 + 31 + 21)


def test_parts_give_the_same_as_all_rows_at_once(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {"zones": {"till": TILL}, "lines": {"door": DOOR}}
    whole = statistics(run, **places)
    monkeypatch.setattr(reader, "_CHUNK_ROWS", 7)
    parts = statistics(run, **places)
    for name in ("visits", "transitions", "occupancy", "people", "crossings", "lines", "heat"):
        assert getattr(parts, name).equals(getattr(whole, name)), name


def test_a_selection_counts_what_is_in_it(run: Path) -> None:
    found = statistics(run, Selection(until=3.5, cameras=frozenset("a")), lines={"door": DOOR})
    assert found.places()["people"].to_list() == [1, 1]
    assert found.lines["times"].to_list() == [0, 1]


@pytest.mark.parametrize(
    ("places", "fault"),
    [
        ({"zones": {"z": {**TILL, "camera": "c"}}}, "zones.z names camera c, .* one of a, b"),
        ({"lines": {"l": {**DOOR, "camera": "c"}}}, "lines.l names camera c, .* one of a, b"),
        (
            {"zones": {"z": {**TILL, "points": [[641, 0], [700, 0], [700, 9]]}}},
            "zones.z is outside the picture of camera a: expected points from 0, 0 to 640, 480",
        ),
        (
            {"lines": {"l": {**DOOR, "points": [[0, 481], [9, 490]]}}},
            "lines.l is outside the picture of camera a",
        ),
        ({"zones": {"z": {"points": TILL["points"]}}}, "zones.z is on the ground, and no camera"),
    ],
)
def test_places_that_do_not_fit_the_run(run: Path, places: dict[str, object], fault: str) -> None:
    with pytest.raises(UserError, match=fault):
        statistics(run, **places)


@pytest.mark.parametrize(
    ("section", "value", "fault"),
    [
        (
            "zones",
            {"points": [[0, 0], [1, 1]]},
            "zones.z.points: .* corners, got 2",
        ),
        ("zones", {"points": [[0, 0], [9, 9], [9, 0], [0, 9]]}, "zones.z.points: .* cross itself"),
        ("zones", {"camera": "a"}, "zones.z.points is missing"),
        ("lines", {"points": [[1, 1], [1, 1]]}, "lines.z.points: expected a line with a length"),
        ("lines", {"points": [[0, 0], [1, 1], [2, 2]]}, "lines.z.points: .* two ends"),
        ("lines", {**DOOR, "to_left": "in"}, "lines.z: expected different names"),
    ],
)
def test_places_that_are_none(section: str, value: object, fault: str) -> None:
    with pytest.raises(UserError, match=fault):
        check_config({section: {"z": value}}, "site.yaml")


def test_tables_are_the_same_in_both_formats(run: Path, tmp_path: Path) -> None:
    found = statistics(run, zones={"till": TILL}, lines={"door": DOOR})
    write_tables(found, "csv", tmp_path / "csv")
    write_tables(found, "parquet", tmp_path / "parquet")
    names = ["crossings", "dwell", "occupancy", "people", "speeds", "transitions", "visits"]
    assert sorted(path.stem for path in (tmp_path / "csv").iterdir()) == names
    for name in names:
        table = pl.read_parquet(tmp_path / "parquet" / f"{name}.parquet")
        text = pl.read_csv(tmp_path / "csv" / f"{name}.csv", schema_overrides=table.schema)
        assert text.equals(table), name
    with pytest.raises(UserError, match="unknown format of statistics 'xls'"):
        write_tables(found, "xls", tmp_path / "xls")


def test_a_zone_without_a_visit_has_no_dwell(run: Path) -> None:
    far = TILL | {"points": [[600, 0], [640, 0], [640, 40]]}
    found = statistics(run, zones={"till": TILL, "far": far})
    assert found.dwell["zone"].to_list() == ["far", "till"]
    assert found.dwell.row(0) == ("far", 0, 0, None, None, None)


def test_names_are_a_column_of_what_is_about_one_person(run: Path, tmp_path: Path) -> None:
    write_tables(statistics(run, zones={"till": TILL}), "csv", tmp_path / "without")
    Editor(run).name(2, "Anna")
    write_tables(statistics(run, zones={"till": TILL}), "csv", tmp_path / "named")
    for name in ("visits", "transitions", "crossings", "speeds"):
        before = pl.read_csv(tmp_path / "without" / f"{name}.csv", infer_schema=False)
        after = pl.read_csv(tmp_path / "named" / f"{name}.csv", infer_schema=False)
        assert after.columns == [*before.columns, "name"]
        assert after.drop("name").equals(before)
        who = after.filter(pl.col("name") == "Anna")["global_id"]
        assert set(who) == set(before.filter(global_id="2")["global_id"])
    for name in ("dwell", "occupancy", "people"):
        files = (tmp_path / folder / f"{name}.csv" for folder in ("without", "named"))
        assert len({file.read_bytes() for file in files}) == 1
