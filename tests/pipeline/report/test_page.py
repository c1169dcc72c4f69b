"""The page as a document: complete, self-contained, escaped."""

import base64
from itertools import pairwise
from pathlib import Path

import cv2
import msgspec
import numpy as np
import polars as pl
import pytest

from builders import camera, make_run
from html_document import Document
from pipeline.errors import UserError
from pipeline.pictures.colours import css_colour
from pipeline.report import summary as of_report
from pipeline.report import write_report
from pipeline.run_directory.reader import RunDirectory

BOX = (10.0, 10.0, 50.0, 90.0)
ROWS = [("a", 0, 1, BOX), ("a", 1, 1, BOX), ("b", 1, 1, BOX), ("b", 2, 2, BOX)]
IDS = {("a", 1): 1, ("b", 1): 1, ("b", 2): 2}


def page_of(folder: Path) -> Document:
    return Document(write_report(RunDirectory(folder)).read_text(encoding="utf-8"))


def words(document: Document) -> str:
    return " ".join(document.text.split())


def test_every_person_and_camera_is_on_the_page(tmp_path: Path) -> None:
    page = page_of(make_run(tmp_path / "run", ROWS, IDS))
    assert [row["data-person"] for row in page.all("article")] == ["1", "2"]
    assert [row["data-cameras"] for row in page.all("article")] == ['["a", "b"]', '["b"]']
    assert [option["value"] for option in page.all("option")][:3] == ["", "a", "b"]
    bars = [row for row in page.all("i") if row.get("class") == "bar"]
    assert [bar["aria-label"] for bar in bars] == [
        "Person 1, a: 00:00.0 to 00:00.1 (0.1 s)",
        "Person 1, b: 00:00.1 to 00:00.1 (0.0 s)",
        "Person 2, b: 00:00.2 to 00:00.2 (0.0 s)",
    ]
    chips = [row["style"] for row in page.all("span") if row.get("class") == "chip"]
    assert chips[0] == f"--person: {css_colour(1)}"
    assert "Confidence 0.90 First seen 00:00.0 Last seen 00:00.1" in words(page)
    assert "In view 0.1 s Cameras 2 Observations 3" in words(page)
    assert "Person 1 a → b Confidence" in words(page)
    assert "Frames 10 People 2 Observations 2 Busiest 00:00.1 (1 person)" in words(page)
    assert "test site 2 people, 2 visits of 0.1 s on average" in words(page)
    assert "from to times people median on the way a b 1 1 0.0 s" in words(page)


def test_the_page_is_complete_in_one_file(tmp_path: Path) -> None:
    page = page_of(make_run(tmp_path / "run", ROWS, IDS))
    targets = [
        value
        for _, attrs in page.tags
        for name, value in attrs.items()
        if name in ("src", "href", "srcset", "action", "data")
    ]
    assert targets
    assert all(target.startswith(("#", "data:")) for target in targets)
    text = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "url(" not in text
    assert "@import" not in text
    assert [path.name for path in (tmp_path / "run").glob("report*")] == ["report.html"]


def test_headings_do_not_skip_a_level(tmp_path: Path) -> None:
    page = page_of(make_run(tmp_path / "run", ROWS, IDS))
    levels = [int(tag[1]) for tag, _ in page.tags if tag in ("h1", "h2", "h3")]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_everything_from_data_is_escaped(tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
    camera_id = "a\"'<script>"
    bad = msgspec.structs.replace(
        camera(camera_id, source=evil), state="partial", detail=evil, timestamp_origin=evil
    )
    run = make_run(
        tmp_path / "run",
        [(camera_id.replace("/", ""), 0, 1, BOX)],
        {(camera_id, 1): 1},
        cameras=[bad],
        thumbnails={(camera_id, 1): evil},
    )
    page = page_of(run)
    assert len(page.all("script")) == 1
    assert page.all("img") == []
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    # Of the source only what looks like a file's name is shown.
    assert page.text.count(evil.rpartition("/")[2]) == 3
    assert page.all("article")[0]["data-cameras"] == r'["a\"\u0027\u003cscript\u003e"]'


def test_a_partial_camera_says_why(tmp_path: Path) -> None:
    broken = msgspec.structs.replace(camera("a"), state="partial", detail="ends in frame 87")
    page = page_of(make_run(tmp_path / "run", ROWS[:1], {("a", 1): 1}, cameras=[broken]))
    assert "a partial a.mp4" in words(page)
    assert "ends in frame 87" in words(page)


def test_the_page_does_not_say_where_files_lie(tmp_path: Path) -> None:
    folder = "/srv/films of/2026"
    cameras = [
        msgspec.structs.replace(
            camera("a", source=f"{folder}/gate.mp4"),
            state="partial",
            detail=f"{folder}/gate.mp4 ends early",
        ),
        camera("b", source="rtsp://gate.local/stream"),
    ]
    page = page_of(make_run(tmp_path / "run", ROWS, IDS, cameras=cameras))
    assert "gate.mp4 ends early" in words(page)
    assert "rtsp://gate.local/stream" in words(page)
    text = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert folder not in text
    assert str(tmp_path) not in text


def unsure(run: Path, confidence: float, track: int) -> None:
    """Make the identity of a track probable, with a confidence."""
    part = next((run / "identities").glob("*.parquet"))
    table, its = pl.read_parquet(part), pl.col("track_id") == track
    changes = {"state": pl.lit("probable"), "confidence": pl.lit(confidence, pl.Float32)}
    table.with_columns(
        pl.when(its).then(new).otherwise(pl.col(name)).alias(name) for name, new in changes.items()
    ).write_parquet(part)


def test_who_was_seen_briefly_or_unsure_is_folded_away(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", ROWS, IDS)
    assert page_of(run).all("details") == []
    unsure(run, 0.6, track=2)
    page = page_of(run)
    assert [row["class"] for row in page.all("details")] == ["brief", "brief"]
    assert "1 person who was seen briefly or of whom it is unsure" in words(page)
    assert [row["data-person"] for row in page.all("article")] == ["1", "2"]


def test_times_lead_to_the_videos_beside_the_page(tmp_path: Path) -> None:
    rows = [("a b", frame, 1, BOX) for frame in range(20, 30)] + [("c", 25, 2, BOX)]
    started = msgspec.structs.replace(camera("a b"), start=1.5)
    run = make_run(
        tmp_path / "run", rows, {("a b", 1): 1, ("c", 2): 1}, cameras=[started, camera("c")]
    )
    (run / "video").mkdir()
    (run / "video" / "a b.mp4").touch()
    links = [row for row in page_of(run).all("a") if "#t=" in row["href"]]
    assert [row["href"] for row in links] == ["video/a%20b.mp4#t=0.5"] * 2
    assert {row["rel"] for row in links} == {"noopener"}
    assert "All cameras at once" not in words(page_of(run))
    (run / "mosaic.mp4").touch()
    assert "mosaic.mp4" in [row["href"] for row in page_of(run).all("a")]
    elsewhere = write_report(RunDirectory(run), tmp_path / "page.html").read_text()
    assert "mosaic.mp4" not in elsewhere
    assert "#t=" not in elsewhere


def test_a_map_where_cameras_are_calibrated(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", ROWS, IDS, ground=True)
    ways = [row for row in page_of(run).all("path") if row.get("class") == "way"]
    assert [row["data-way"] for row in ways] == ["1", "2"]
    assert "Where people walked" in words(page_of(run))
    plain = page_of(make_run(tmp_path / "plain", ROWS, IDS))
    assert "Where people walked" not in words(plain)


def test_a_run_without_people(tmp_path: Path) -> None:
    page = page_of(make_run(tmp_path / "run", [], {}, cameras=[camera("a")]))
    assert "Nobody was seen in this run." in words(page)
    assert page.all("article") == []
    assert "save-thumbnails" not in page.text


def test_observations_without_identity_are_mentioned(tmp_path: Path) -> None:
    page = page_of(make_run(tmp_path / "run", ROWS, {}))
    assert "4 observations have no identity yet" in words(page)
    assert "Nobody has an identity in this run." in words(page)


def test_no_camera_yet(tmp_path: Path) -> None:
    page = page_of(make_run(tmp_path / "run", [], {}, cameras=[]))
    assert "No camera has recorded anything yet." in words(page)
    assert "No time recorded yet" in words(page)


def test_without_pictures_a_silhouette_and_a_hint(tmp_path: Path) -> None:
    page = page_of(make_run(tmp_path / "run", ROWS, IDS))
    silhouettes = [row for row in page.all("svg") if row.get("class") == "silhouette"]
    assert [row["aria-label"] for row in silhouettes] == ["No picture kept"] * 3
    assert "Run with --save-thumbnails to keep them." in words(page)


def test_pictures_are_embedded_and_small(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", ROWS, IDS, thumbnails={("a", 1): "thumbnails/1.jpg"})
    (run / "thumbnails").mkdir()
    cv2.imwrite(str(run / "thumbnails" / "1.jpg"), np.full((960, 400, 3), 90, np.uint8))
    page = page_of(run)
    (picture,) = page.all("img")
    assert picture["alt"] == "Person 1 in a"
    data = base64.b64decode(picture["src"].removeprefix("data:image/jpeg;base64,"))
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert image.shape == (240, 100, 3)
    assert "save-thumbnails" not in page.text


@pytest.mark.parametrize("name", ["gone.jpg", "text.jpg", "empty.jpg", "../outside.png"])
def test_a_picture_that_cannot_be_shown_is_named(tmp_path: Path, name: str) -> None:
    run = make_run(tmp_path / "run", ROWS, IDS, thumbnails={("a", 1): name})
    (run / "text.jpg").write_text("not a picture")
    (run / "empty.jpg").touch()
    cv2.imwrite(str(tmp_path / "outside.png"), np.zeros((9, 9, 3), np.uint8))
    page = page_of(run)
    assert page.all("img") == []
    labels = [row.get("aria-label") for row in page.all("svg")]
    assert f"Picture missing: {name}" in labels


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    run = RunDirectory(make_run(tmp_path / "run", ROWS, IDS))
    first = write_report(run, tmp_path / "one.html").read_bytes()
    assert write_report(run, tmp_path / "two.html").read_bytes() == first


def test_a_report_that_cannot_be_written_names_the_place(tmp_path: Path) -> None:
    run = RunDirectory(make_run(tmp_path / "run", ROWS, IDS))
    with pytest.raises(UserError, match=r"cannot write the report .*nowhere.*exists"):
        write_report(run, tmp_path / "nowhere" / "page.html")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match="cannot write the report"):
        write_report(run, tmp_path / "folder")
    assert list(tmp_path.glob("*.partial")) == []


def test_what_is_left_out_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_run(tmp_path / "run", ROWS, IDS)
    assert not {"left-out", "joined"} & {row.get("id") for row in page_of(folder).all("p")}
    monkeypatch.setattr(of_report, "_VISITS_PER_PAGE", 1)
    page = page_of(folder)
    assert [row["data-person"] for row in page.all("article")] == ["2"]
    assert "1 of 2 people are shown, those that were seen last." in words(page)
    assert "--until" in words(page)
    far = [("a", 0, 1, BOX), ("a", 50, 1, BOX)]
    other = make_run(tmp_path / "other", far, {("a", 1): 1})
    monkeypatch.setattr(of_report, "_STAYS_PER_PAGE", 1)
    assert "Absences up to 8.0 s are not drawn." in words(page_of(other))
