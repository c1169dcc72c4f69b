"""A run on real video: four cameras, two people in the foreground."""

import json
import re
import subprocess
import sys
from pathlib import Path

import av
import polars as pl
import pytest

from pipeline.exports import FORMATS, export_run
from pipeline.run_directory.people_table import people
from pipeline.run_directory.reader import RunDirectory
from videos import shorten

CONFIG = Path(__file__).parents[3] / "configs" / "demo.yaml"
CAMERAS = ["cam01", "cam02", "cam03", "cam04"]
#: A quarter of each clip.
FRAMES = 25


@pytest.fixture(scope="module")
def clips(demo_clips: list[Path], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The beginning of the clips."""
    folder = tmp_path_factory.mktemp("clips")
    return [shorten(clip, folder / clip.name, FRAMES) for clip in demo_clips]


@pytest.fixture(scope="module")
def runs(
    clips: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[RunDirectory, RunDirectory]:
    """Two runs on the same clips, one after the other in one process."""
    from pipeline.config.load import load_config
    from pipeline.runtime.run import run_site
    from pipeline.runtime.site_options import with_options

    recording = {"thumbnails": True}
    config = with_options(load_config(CONFIG), [str(c) for c in clips], {"recording": recording})
    folder = tmp_path_factory.mktemp("runs")
    return run_site(config, folder / "one"), run_site(config, folder / "two")


def test_every_frame_is_processed(runs: tuple[RunDirectory, RunDirectory]) -> None:
    cameras = runs[0].cameras()
    assert [(camera.camera_id, camera.frames) for camera in cameras] == [
        (c, FRAMES) for c in CAMERAS
    ]
    assert {camera.state for camera in cameras} == {"complete"}


def test_the_two_people_in_front_have_one_global_id_in_all_cameras(
    runs: tuple[RunDirectory, RunDirectory],
) -> None:
    in_front = people(runs[0]).filter(pl.col("observations") >= 0.95 * 4 * FRAMES)
    assert in_front["cameras"].to_list() == [CAMERAS, CAMERAS]
    # The places are known from the calibration: one stands still, one jumps 1.5 m away.
    seen = runs[0].trajectories().group_by("global_id").agg(pl.median("ground_x", "ground_y"))
    places = seen.filter(pl.col("global_id").is_in(in_front["global_id"].to_list())).sort(
        "ground_x"
    )
    assert places["ground_x"].to_list() == pytest.approx([-1.3, 0.2], abs=0.3)


def test_ids_are_unique_within_a_frame(runs: tuple[RunDirectory, RunDirectory]) -> None:
    trajectories = runs[0].trajectories().drop_nulls("global_id")
    assert not trajectories.select("camera_id", "frame_index", "global_id").is_duplicated().any()
    # The ground positions of an id agree across cameras.
    spread = (
        trajectories.group_by("global_id", "camera_id")
        .agg(pl.median("ground_x", "ground_y"))
        .group_by("global_id")
        .agg(pl.col("ground_x", "ground_y").max() - pl.col("ground_x", "ground_y").min())
    )
    assert spread.select(pl.max_horizontal("ground_x", "ground_y").max()).item() < 1.2


# The demo has no place on the globe, which geojson needs.
@pytest.mark.parametrize("format", sorted(set(FORMATS) - {"geojson"}))
def test_the_same_input_twice_gives_identical_exports(
    runs: tuple[RunDirectory, RunDirectory], format: str, tmp_path: Path
) -> None:
    one, two = (export_run(run, format, tmp_path / run.path.name) for run in runs)
    assert _contents(one) == _contents(two)
    assert sum(map(len, _contents(one).values())) > 1000


def test_only_tracks_without_a_good_crop_have_no_identity(
    runs: tuple[RunDirectory, RunDirectory],
) -> None:
    run = runs[0]
    unknown = run.tracklets().join(run.identities(), on=["camera_id", "track_id"], how="anti")
    # A second box on the upper body of a person who already has a box.
    assert len(unknown) <= 1
    assert unknown["quality"].max() in (None, 0.0)
    assert len(people(run)) == 3


def test_the_event_logs_are_identical_too(runs: tuple[RunDirectory, RunDirectory]) -> None:
    assert runs[0].events().equals(runs[1].events())
    assert runs[0].tracklets().equals(runs[1].tracklets())


def test_every_track_has_a_thumbnail(runs: tuple[RunDirectory, RunDirectory]) -> None:
    for name in runs[0].tracklets().filter(pl.col("quality") > 0)["thumbnail"]:
        assert (runs[0].path / name).read_bytes()[:2] == b"\xff\xd8"


def test_the_redis_files_are_gone(runs: tuple[RunDirectory, RunDirectory]) -> None:
    assert not (runs[0].path / "redis").exists()


def test_the_command_prints_progress_and_writes_videos(
    runs: tuple[RunDirectory, RunDirectory], clips: list[Path], tmp_path: Path
) -> None:
    """After ``runs``, when the networks are in the cache."""
    options = ["--json", "--save-video", "--out", tmp_path / "run", "--tracker", "ocsort"]
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "pipeline", "run", clips[2], *options],
        capture_output=True,
        text=True,
        check=True,
    )
    # PyTorch takes two seconds and 300 MB, and nothing of this needs it.
    assert re.search(r"\| +openvino\.", ended.stderr)
    assert not re.search(r"\| +(torch|ultralytics)(\.|$)", ended.stderr, re.MULTILINE)
    events = [json.loads(line) for line in ended.stdout.splitlines()]
    assert {event["event"] for event in events} == {"progress", "finished"}
    assert events[-1]["cameras"]["cam03"]["frames"] == FRAMES
    assert events[-1]["people"] == 2
    with av.open(str(tmp_path / "run" / "video" / "cam03.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) == FRAMES


def _contents(path: Path) -> dict[str, bytes]:
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    return {file.name if path.is_dir() else "file": file.read_bytes() for file in files}
