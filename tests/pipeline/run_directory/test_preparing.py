from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from pipeline.config.load import check_config, load_config
from pipeline.config.schema import SiteConfig
from pipeline.errors import UserError
from pipeline.run_directory.preparing import new_folder, prepare, update_config
from pipeline.run_directory.reader import RunDirectory


def config(source: str | None = "rtsp://camera/1", **settings: object) -> SiteConfig:
    return check_config({"cameras": {"door": {"source": source}}, **settings}, "the test")


def source_in(out: Path) -> str:
    return str(yaml.safe_load((out / "config.yaml").read_text())["cameras"]["door"]["source"])


def test_the_configuration_is_written_whole_and_can_be_read_again(tmp_path: Path) -> None:
    given = config(tracker={"name": "ocsort"}, origin={"longitude": 1.5, "latitude": 2.5})
    prepare(tmp_path / "new" / "run", given)
    assert load_config(tmp_path / "new" / "run" / "config.yaml") == given
    assert RunDirectory(tmp_path / "new" / "run").cameras() == []


def test_no_password_is_written(tmp_path: Path) -> None:
    given = config("rtsp://me:s3cret@camera/1?token=s3cret", redis="redis://:s3cret@host:6379/0")
    prepare(tmp_path, given)
    text = (tmp_path / "config.yaml").read_text()
    assert "s3cret" not in text
    assert "rtsp://camera/1" in text
    assert "redis://host:6379/0" in text


def test_a_local_source_is_written_with_its_absolute_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "with [brackets]"
    here.mkdir()
    (here / "a.mp4").touch()
    monkeypatch.chdir(here)
    prepare(tmp_path / "one", config("./a.mp4"))
    assert source_in(tmp_path / "one") == str(here / "a.mp4")
    prepare(tmp_path / "two", config("shots/*.png"))
    escaped = str(here).replace("[", "[[]", 1)
    assert source_in(tmp_path / "two") == f"{escaped}/shots/*.png"
    prepare(tmp_path / "three", config("/shots/*.png"))
    assert source_in(tmp_path / "three") == "/shots/*.png"


@pytest.mark.parametrize(
    "source",
    [
        "0",
        # On the machine of a node.
        "not/here.mp4",
        # Longer than any name of a file, and no pattern.
        "https://camera/live.m3u8?part=" + "x" * 400,
    ],
)
def test_other_sources_stay_as_they_are(tmp_path: Path, source: str) -> None:
    prepare(tmp_path, config(source))
    assert source_in(tmp_path) == source


def test_a_camera_without_a_source_stays_without(tmp_path: Path) -> None:
    prepare(tmp_path, config(None))
    assert source_in(tmp_path) == "None"


def test_a_file_and_a_link_to_nothing_are_no_folders(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("gone")
    with pytest.raises(UserError, match=r"file: it is a file, not a folder\. Give --out"):
        prepare(tmp_path / "file", config("./a.mp4"))
    with pytest.raises(UserError, match="link: it is a link to gone, not a folder"):
        prepare(tmp_path / "link", config("./a.mp4"))


def test_a_folder_that_is_not_empty_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty: give --out a new folder"):
        prepare(tmp_path, config())
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_earlier_run_is_refused_unless_resumed_with_the_same_configuration(
    tmp_path: Path,
) -> None:
    prepare(tmp_path, config())
    with pytest.raises(UserError, match="not empty"):
        prepare(tmp_path, config())
    with pytest.raises(UserError, match=r"not empty .* device was auto, is cpu\. Give --out a new"):
        prepare(tmp_path, config(device="cpu"), resume=True)
    other = config(device="cpu", reid={"model": "omni-scale-people"})
    with pytest.raises(UserError, match="settings: device was auto, is cpu and 1 more"):
        prepare(tmp_path, other, resume=True)
    prepare(tmp_path, config(), resume=True)
    assert load_config(tmp_path / "config.yaml") == config()


def test_a_recorder_may_resume_with_other_live_cameras(tmp_path: Path) -> None:
    prepare(tmp_path, config())
    prepare(tmp_path, config("rtsp://camera/2"), resume=True)
    assert source_in(tmp_path) == "rtsp://camera/2"
    assert load_config(tmp_path / "config.1.yaml") == config()
    with pytest.raises(UserError, match="not empty"):
        prepare(tmp_path, config("film.mp4"), resume=True)


def test_the_configuration_is_updated_and_earlier_ones_are_kept(tmp_path: Path) -> None:
    prepare(tmp_path, config())
    for number in (2, 3, 3):
        update_config(tmp_path, config(f"rtsp://me:s3cret@camera/{number}"))
    assert source_in(tmp_path) == "rtsp://camera/3"
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["config.1.yaml", "config.2.yaml", "config.yaml", "schema.json"]
    assert load_config(tmp_path / "config.1.yaml") == config()
    assert all("s3cret" not in path.read_text() for path in tmp_path.iterdir())


def test_a_configuration_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot write the configuration to .*/gone: No such"):
        update_config(tmp_path / "gone", config())


def test_a_path_that_cannot_be_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(UserError, match=f"cannot write to {out}: .*--out"):
            prepare(out, config())


def test_two_runs_of_one_second_get_a_folder_each(tmp_path: Path) -> None:
    now = datetime(2026, 5, 1, 9, tzinfo=UTC)
    with new_folder(tmp_path, now) as first, new_folder(tmp_path, now) as second:
        assert (first.name, second.name) == ("20260501T090000Z", "20260501T090000Z-2")
        (first / "config.yaml").touch()
    assert list(tmp_path.iterdir()) == [first]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    with (
        pytest.raises(UserError, match=r"cannot write to .*runs: "),
        new_folder(tmp_path / "runs", datetime(2026, 5, 1, tzinfo=UTC)),
    ):
        pass


def test_the_plan_is_copied_and_may_change(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out, picture = tmp_path / "run", tmp_path / "floor.PNG"
    corners = ((0, 0), (1, 0), (0, 1))
    points = [{"picture": corner, "ground": corner} for corner in corners]
    given = config(plan={"picture": str(picture), "points": points})
    prepare(out, given)
    assert "floor.PNG is not here" in caplog.text
    picture.write_bytes(b"picture")
    prepare(out, given, resume=True)
    prepare(out, config(), resume=True)
    assert (out / "plan.png").read_bytes() == b"picture"
