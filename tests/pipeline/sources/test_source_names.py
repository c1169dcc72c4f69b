"""Sources on the command line become named cameras."""

from pathlib import Path

import cv2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import UserError
from pipeline.sources.source_names import resolve_sources
from videos import picture


def resolved(*arguments: object) -> dict[str, str | None]:
    cameras = resolve_sources([str(argument) for argument in arguments])
    return {name: camera.source for name, camera in cameras.items()}


def file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def pictures(folder: Path, count: int = 2) -> Path:
    folder.mkdir(parents=True)
    for index in range(count):
        cv2.imwrite(str(folder / f"{index}.png"), picture(index))
    return folder


def test_no_arguments_no_cameras() -> None:
    assert resolved() == {}


def test_default_names(tmp_path: Path) -> None:
    video, folder = file(tmp_path / "Cam 1 (é).v2.mp4"), pictures(tmp_path / "left side")
    assert resolved(video, folder, "0", "rtsp://a:b@cam-7.local:554/live?x=1") == {
        "Cam_1____.v2": str(video),
        "left_side": str(folder),
        "webcam0": "0",
        "cam-7.local": "rtsp://a:b@cam-7.local:554/live?x=1",
    }


def test_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(pictures(tmp_path / "hall"))
    assert resolved(".") == {"hall": "."}


def test_given_names(tmp_path: Path) -> None:
    video = file(tmp_path / "a.mp4")
    assert resolved(f"gate={video}", "yard=1", "back=http://h/?a=b") == {
        "gate": str(video),
        "yard": "1",
        "back": "http://h/?a=b",
    }


def test_an_equals_sign_inside_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file(tmp_path / "take=1.mp4")
    file(tmp_path / "x=2" / "b.mp4")
    assert resolved("take=1.mp4", "x=2/b.mp4", "http://h/?q=1") == {
        "take_1": "take=1.mp4",
        "b": "x=2/b.mp4",
        "h": "http://h/?q=1",
    }


def test_a_name_has_no_slash_or_colon(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no such file: a/b=c\.mp4"):
        resolved("a/b=c.mp4")
    assert resolved("http://h/x=y") == {"h": "http://h/x=y"}


def test_one_camera_for_each_video_of_a_pattern(tmp_path: Path) -> None:
    videos = [file(tmp_path / f"cam{n}.mp4") for n in (2, 1)]
    found = resolved(tmp_path / "*.mp4")
    assert found == {"cam1": str(videos[1]), "cam2": str(videos[0])}
    assert list(found) == ["cam1", "cam2"]


def test_pictures_of_a_pattern_are_one_camera(tmp_path: Path) -> None:
    pattern = str(pictures(tmp_path / "hall") / "*.png")
    assert resolved(pattern) == {"hall": pattern}
    assert resolved(f"gate={pattern}") == {"gate": pattern}


def test_pictures_in_several_folders_are_several_cameras(tmp_path: Path) -> None:
    first, second = pictures(tmp_path / "a"), pictures(tmp_path / "b")
    assert resolved(tmp_path / "*" / "*.png") == {"a": f"{first}/*.png", "b": f"{second}/*.png"}


def test_a_file_with_brackets_is_not_a_pattern(tmp_path: Path) -> None:
    video = file(tmp_path / "cam[1].mp4")
    assert resolved(video) == {"cam_1_": str(video)}


def test_a_pattern_that_matches_pictures_and_videos(tmp_path: Path) -> None:
    file(pictures(tmp_path / "a") / "v.mp4")
    with pytest.raises(UserError, match="pictures and other files"):
        resolved(tmp_path / "a" / "*")


def test_a_pattern_that_matches_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no file matches '.*\*\.mp4'"):
        resolved(tmp_path / "*.mp4")


def test_one_name_for_many_cameras(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        file(tmp_path / name)
    with pytest.raises(UserError, match="one name for 2 cameras"):
        resolved(f"gate={tmp_path}/*.mp4")


def test_two_cameras_with_one_name(tmp_path: Path) -> None:
    first, second = file(tmp_path / "x" / "cam.mp4"), file(tmp_path / "y" / "cam.mp4")
    with pytest.raises(UserError) as caught:
        resolved(first, second)
    for part in ("'cam'", str(first), str(second), "NAME=SOURCE"):
        assert part in str(caught.value)


def test_two_channels_of_one_recorder_hide_the_password() -> None:
    with pytest.raises(UserError) as caught:
        resolved("rtsp://bob:secret@h/1", "rtsp://bob:secret@h/2")
    assert "rtsp://h/1 and rtsp://h/2" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_missing_file_and_its_nearest_name(tmp_path: Path) -> None:
    file(tmp_path / "camera1.mp4")
    with pytest.raises(UserError, match=r"no such file: .*camera2\.mp4.*Did you mean '.*camera1"):
        resolved(tmp_path / "camera2.mp4")
    with pytest.raises(UserError, match=r"no such file: .*zzz\.avi$"):
        resolved(tmp_path / "zzz.avi")
    with pytest.raises(UserError, match="there is no folder"):
        resolved(tmp_path / "none" / "a.mp4")
    (tmp_path / "link.mp4").symlink_to("gone.mp4")
    with pytest.raises(
        UserError, match=r"link\.mp4 is a link to gone\.mp4, which cannot be opened"
    ):
        resolved(tmp_path / "link.mp4")


def test_recorded_detections_name_their_cameras(tmp_path: Path) -> None:
    path = tmp_path / "found.parquet"
    row = {"frame_index": 0, "timestamp": 0.0, "x1": 0.0, "y1": 0.0, "x2": 1.0, "y2": 1.0}
    rows = [{"camera_id": name, **row, "score": 0.5} for name in ("b 2", "a", "b 2")]
    pq.write_table(pa.Table.from_pylist(rows), path)
    assert resolved(path) == {"a": str(path), "b_2": str(path)}
    with pytest.raises(UserError, match="Leave out the name"):
        resolved(f"gate={path}")


@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_argument_is_refused(empty: str) -> None:
    with pytest.raises(UserError, match=r"^a source is empty: "):
        resolve_sources([empty])
