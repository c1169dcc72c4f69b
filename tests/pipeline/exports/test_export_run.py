"""All exports: names, paths, determinism and errors."""

import shutil
from pathlib import Path

import pytest

from builders import camera, make_run
from pipeline.errors import UserError
from pipeline.exports import FORMATS, export_run
from pipeline.run_directory.reader import RunDirectory

FOLDERS = {"mot", "kitti", "cvat"}
BOXES = [
    ("a", 0, 1, (10.1, 20.2, 50.3, 90.4)),
    ("a", 4, 2, (1, 2, 3, 4)),
    ("b", 1, 1, (5, 6, 7, 8)),
]


def contents(path: Path) -> dict[str, bytes]:
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return {file.name: file.read_bytes() for file in files}


def test_formats_are_those_of_the_command_line() -> None:
    names = "csv parquet jsonl mot coco geojson kitti cvat fiftyone"
    assert set(FORMATS) == set(names.split())


def test_unknown_format_names_the_nearest(run: RunDirectory) -> None:
    with pytest.raises(UserError, match=r"unknown export format 'moot'\. Did you mean 'mot'"):
        export_run(run, "moot")


@pytest.mark.parametrize("format", sorted(FORMATS))
def test_default_place_is_in_the_run(tmp_path: Path, format: str) -> None:
    run = RunDirectory(make_run(tmp_path / "run", BOXES, {}, ground=True))
    path = export_run(run, format)
    assert path.parent == run.path / "export"
    assert path.is_dir() == (format in FOLDERS)
    assert format in path.name


@pytest.mark.parametrize("format", sorted(FORMATS))
def test_same_content_same_bytes(tmp_path: Path, format: str) -> None:
    identities = {("a", 1): 1, ("b", 1): 1}
    first = RunDirectory(make_run(tmp_path / "first", BOXES, identities, ground=True))
    shutil.copytree(first.path, tmp_path / "second")
    once = contents(export_run(first, format))
    again = contents(export_run(first, format))
    copy = contents(export_run(RunDirectory(tmp_path / "second"), format, tmp_path / "copy"))
    assert once == again
    assert list(once.values()) == list(copy.values())


# parquet holds float32, geojson has no boxes and fiftyone has them relative to the picture.
@pytest.mark.parametrize("format", sorted({*FORMATS} - {"parquet", "geojson", "fiftyone"}))
def test_boxes_are_written_as_their_shortest_decimals(tmp_path: Path, format: str) -> None:
    """A float32 10.1 widened to a double would read 10.100000381469727."""
    run = RunDirectory(make_run(tmp_path / "run", BOXES, {("a", 1): 1}))
    text = b"".join(contents(export_run(run, format)).values()).decode()
    assert "10.1" in text
    assert "10.10" not in text


@pytest.mark.parametrize("format", sorted(FORMATS))
def test_camera_of_a_killed_run_without_a_description(tmp_path: Path, format: str) -> None:
    run = RunDirectory(make_run(tmp_path / "run", BOXES, {("a", 1): 1}, cameras=[], ground=True))
    (run.path / "cameras.json").unlink()
    if format == "fiftyone":
        with pytest.raises(UserError, match="no image size for camera 'a'"):
            export_run(run, format)
        return
    path = export_run(run, format)
    if format in FOLDERS:
        assert sorted(file.stem for file in path.iterdir()) == ["a", "b"]
    else:
        assert path.stat().st_size > 0


@pytest.mark.parametrize("format", ["csv", "mot"])
def test_export_replaces_an_earlier_one(run: RunDirectory, format: str) -> None:
    path = export_run(run, format)
    file = path / "gate.txt" if path.is_dir() else path
    good = file.read_bytes()
    file.write_bytes(b"old")
    export_run(run, format)
    assert file.read_bytes() == good
    assert not list(run.path.rglob("*.partial"))


def test_folder_where_a_file_is_expected(run: RunDirectory, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is a folder\. Expected a file"):
        export_run(run, "csv", tmp_path)


def test_file_where_a_folder_is_expected(run: RunDirectory, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(UserError, match=r"is a file\. Expected a folder"):
        export_run(run, "mot", tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize("format", ["csv", "mot"])
@pytest.mark.parametrize("place", ["file/below", "/proc/fusetrack/below"])
def test_place_that_cannot_be_written(
    run: RunDirectory, tmp_path: Path, format: str, place: str
) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match=r"cannot write the export .*below: .*--out"):
        export_run(run, format, tmp_path / place)


def test_folder_in_the_place_of_a_camera_file(run: RunDirectory, tmp_path: Path) -> None:
    (tmp_path / "out" / "gate.txt").mkdir(parents=True)
    with pytest.raises(UserError, match="cannot write the export"):
        export_run(run, "mot", tmp_path / "out")
    assert not list(tmp_path.rglob("*.partial"))


def test_frames_reach_as_far_as_the_rows(tmp_path: Path) -> None:
    """The description of a camera may be older than its last segment."""
    run = RunDirectory(
        make_run(tmp_path / "run", [("a", 4, 1, (1, 2, 3, 4))], {}, cameras=[camera("a", frames=2)])
    )
    assert b"<size>5</size>" in (export_run(run, "cvat") / "a.xml").read_bytes()


@pytest.mark.parametrize(("format", "link"), [("csv", "export"), ("mot", "export/mot")])
def test_a_default_place_outside_the_run_is_refused(tmp_path: Path, format: str, link: str) -> None:
    run = RunDirectory(make_run(tmp_path / "run", [("gate", 0, 1, (1.0, 2.0, 3.0, 4.0))], {}))
    (tmp_path / "other").mkdir()
    (run.path / link).parent.mkdir(exist_ok=True)
    (run.path / link).symlink_to(tmp_path / "other")
    with pytest.raises(UserError, match="is not inside it"):
        export_run(run, format)
    assert list((tmp_path / "other").iterdir()) == []
