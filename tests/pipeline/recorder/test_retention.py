"""Retention on a clock that the test advances; a crash leaves a readable run."""

from pathlib import Path

import msgspec
import polars as pl
import pyarrow as pa
import pytest

from builders import Observation, camera, make_run
from pipeline.config.schema import RetentionConfig
from pipeline.recorder.retention import Retention, RunClock, run_time_at
from pipeline.run_directory import segments
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.schema import IDENTITIES, TRACKLETS, CameraRecord
from pipeline.run_directory.segments import last_position, write_segment
from recorder_helpers import crashed

BOX = (10.0, 20.0, 50.0, 90.0)


def one(key: tuple[str, int], end: float, thumbnail: str | None = None) -> dict[str, object]:
    return {
        **{"camera_id": key[0], "track_id": key[1], "start": end - 1, "end": end, "n": 11},
        **{"embedding": [0.125, end], "quality": 0.5, "thumbnail": thumbnail},
    }


def event(key: tuple[str, int], at: float) -> dict[str, object]:
    return {
        **{"camera_id": key[0], "track_id": key[1], "global_id": key[1], "confidence": 0.9},
        **{"kind": "assigned", "reason": "new person", "at": at},
    }


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Frames 0 to 29, 10 per second, in three segments; tracks that end at 1 s, 2 s and 3 s."""
    folder = tmp_path / "run"
    rows: list[Observation] = [("gate", frame, frame // 10 + 1, BOX) for frame in range(30)]
    make_run(folder, rows[:10], {}, cameras=[camera("gate", 31)])
    for part in (folder / "tracklets", folder / "identities"):
        for path in part.glob("*"):
            path.unlink()
    for first in (10, 20):
        other = make_run(tmp_path / f"part-{first}", rows[first : first + 10], {})
        table = pa.parquet.read_table(
            next(other.rglob("camera=gate/part-*.parquet")), partitioning=None
        )
        write_segment(folder / "observations" / "camera=gate", table, f"{first}-0")
    for number in (1, 2, 3):
        picture = folder / "thumbnails" / "gate" / f"{number}.jpg"
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.write_bytes(b"picture %d" % number)
        name = f"thumbnails/gate/{number}.jpg"
        tracklets = pa.Table.from_pylist([one(("gate", number), float(number), name)], TRACKLETS)
        write_segment(folder / "tracklets", tracklets, f"{number}-0")
        events = pa.Table.from_pylist([event(("gate", number), float(number))], IDENTITIES)
        write_segment(folder / "identities", events, f"{number}-0")
    return folder


def frames(folder: Path) -> list[int]:
    return RunDirectory(folder).observations()["frame_index"].to_list()


def parts(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("part-*"))


def test_without_a_limit_everything_is_kept(run: Path) -> None:
    before = sorted(run.rglob("*"))
    assert not Retention(run, RetentionConfig()).remove(1e12)
    assert sorted(run.rglob("*")) == before


def test_expired_segments_are_deleted_and_partly_expired_ones_rewritten(run: Path) -> None:
    removed = Retention(run, RetentionConfig(observations_s=1.0)).remove(2.45)
    assert removed == {"observations": 15}
    assert frames(run) == list(range(15, 30))
    assert parts(run / "observations" / "camera=gate") == [
        "part-00001.parquet",
        "part-00002.parquet",
    ]
    assert RunDirectory(run).tracklets().height == 3


def test_rows_exactly_at_the_limit_are_kept(run: Path) -> None:
    retention = Retention(run, RetentionConfig(observations_s=1.0, tracklets_s=1.0))
    assert not retention.remove(1.0)
    assert retention.remove(1.0000001) == {"observations": 1}
    assert frames(run)[0] == 1
    assert not retention.remove(2.0)["tracklets"]
    assert retention.remove(2.0000001)["tracklets"] == 1


def test_the_last_segment_is_kept_without_rows_for_the_recorder(run: Path) -> None:
    folder = run / "observations" / "camera=gate"
    assert Retention(run, RetentionConfig(observations_s=1.0)).remove(100.0)["observations"] == 30
    assert frames(run) == []
    assert parts(folder) == ["part-00002.parquet"]
    assert last_position(folder) == "20-0"
    assert segments.next_number(folder) == 3


def test_embedding_and_thumbnail_are_removed_with_their_tracklet(run: Path) -> None:
    removed = Retention(run, RetentionConfig(tracklets_s=1.5)).remove(3.0)
    assert removed == {"tracklets": 1, "thumbnails": 1}
    assert RunDirectory(run).tracklets()["track_id"].to_list() == [2, 3]
    assert [p.name for p in sorted(run.rglob("*.jpg"))] == ["2.jpg", "3.jpg"]


def test_a_thumbnail_may_expire_before_its_tracklet(run: Path) -> None:
    retention = Retention(run, RetentionConfig(thumbnails_s=0.5, tracklets_s=2.5))
    assert retention.remove(3.0) == {"thumbnails": 2}
    tracklets = RunDirectory(run).tracklets()
    assert tracklets["thumbnail"].to_list() == [None, None, "thumbnails/gate/3.jpg"]
    assert tracklets["embedding"].to_list()[0] == [0.125, 1.0]
    assert not retention.remove(3.0)
    assert retention.remove(3.6) == {"tracklets": 1, "thumbnails": 1}
    assert RunDirectory(run).tracklets()["track_id"].to_list() == [2, 3]


def test_identities_expire_and_their_boxes_become_unknown(run: Path) -> None:
    assert Retention(run, RetentionConfig(identities_s=1.0)).remove(2.5) == {"identity events": 1}
    assert RunDirectory(run).events()["at"].to_list() == [2.0, 3.0]
    trajectories = RunDirectory(run).trajectories()
    assert trajectories.height == 30
    assert trajectories["global_id"].null_count() == 10


def test_a_video_expires_with_its_last_frame(run: Path) -> None:
    video = run / "video" / "gate.mp4"
    video.parent.mkdir()
    video.write_bytes(b"film")
    retention = Retention(run, RetentionConfig(video_s=10.0))
    assert not retention.remove(13.1)
    assert video.exists()
    assert retention.remove(13.2) == {"videos": 1}
    assert not video.exists()


def test_report_and_exports_are_removed_when_rows_are(run: Path) -> None:
    (run / "report.html").write_text("page")
    (run / "export" / "mot").mkdir(parents=True)
    (run / "export" / "mot" / "gate.txt").write_text("1,2,3")
    retention = Retention(run, RetentionConfig(observations_s=1.0))
    assert not retention.remove(1.0)
    assert (run / "report.html").exists()
    assert retention.remove(1.05) == {"observations": 1, "reports": 1, "exports": 1}
    assert not (run / "report.html").exists()
    assert not (run / "export" / "mot" / "gate.txt").exists()


def test_new_rows_of_a_growing_run_expire_in_turn(run: Path) -> None:
    retention = Retention(run, RetentionConfig(observations_s=1.0))
    assert retention.remove(2.0)["observations"] == 10
    more = make_run(run.parent / "more", [("gate", 40, 4, BOX)], {})
    table = pa.parquet.read_table(next(more.rglob("camera=gate/part-*")), partitioning=None)
    write_segment(run / "observations" / "camera=gate", table, "40-0")
    assert retention.remove(4.5)["observations"] == 20
    assert frames(run) == [40]
    assert retention.remove(5.5)["observations"] == 1


def test_it_checks_again_only_after_the_tolerated_delay(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    retention = Retention(run, RetentionConfig(observations_s=2.0))
    looked: list[float] = []
    monkeypatch.setattr(retention, "remove", looked.append)
    for now in (0.0, 0.09, 0.1, 0.15, 0.2, float("-inf")):
        retention.remove_when_due(now)
    assert looked == [0.0, 0.1, 0.2]


@pytest.mark.parametrize("step", range(1, 12))
def test_a_crash_in_the_middle_leaves_a_readable_run_and_the_next_pass_finishes(
    run: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    config = RetentionConfig(
        observations_s=1.45, tracklets_s=1.5, identities_s=1.5, thumbnails_s=0.5
    )
    died = crashed(step, lambda: Retention(run, config).remove(3.0), monkeypatch)
    assert died == (step <= 8)
    directory = RunDirectory(run)
    assert directory.trajectories().filter(pl.col("timestamp") >= 1.55).height == 14
    assert {2, 3} <= set(directory.tracklets()["track_id"])
    Retention(run, config).remove(3.0)
    assert frames(run) == list(range(16, 30))
    assert directory.tracklets()["track_id"].to_list() == [2, 3]
    assert directory.events()["at"].to_list() == [2.0, 3.0]
    assert [path.name for path in run.rglob("*.jpg")] == ["3.jpg"]
    assert list(run.rglob("*.partial")) == []


def test_a_recording_ages_only_by_its_frames() -> None:
    wall = iter(range(100))
    clock = RunClock(lambda: float(next(wall)))
    assert clock.now([]) == float("-inf")
    assert clock.now([camera("gate", 50)]) == 5.0
    assert clock.now([camera("gate", 50)]) == 5.0
    assert clock.now([camera("gate", 50), camera("yard", 80)]) == 8.0


def test_a_live_run_ages_while_its_cameras_are_silent() -> None:
    moments = iter([0.0, 10.0, 10.0, 25.0, 30.0, 30.0])
    clock = RunClock(lambda: next(moments))
    live = [msgspec.structs.replace(camera("gate", 50), timestamp_origin="rtcp")]
    assert clock.now(live) == 5.0
    assert clock.now(live) == 20.0
    assert clock.now([*live, camera("yard", 80)]) == 8.0


def set_cameras(folder: Path, cameras: list[CameraRecord]) -> float:
    (folder / "cameras.json").write_bytes(msgspec.json.encode(cameras))
    return (folder / "cameras.json").stat().st_mtime


def test_the_time_of_a_finished_run_continues_from_its_recording(run: Path) -> None:
    recorded_at = set_cameras(run, [camera("gate", 50), camera("yard", 70)])
    assert run_time_at(run, recorded_at) == 7.0
    assert run_time_at(run, recorded_at + 3600) == 3607.0
    assert run_time_at(run, recorded_at - 3600) == 7.0
    live = msgspec.structs.replace(camera("gate", 50), timestamp_origin="arrival")
    set_cameras(run, [live])
    assert run_time_at(run, 1.8e9) == 1.8e9
    set_cameras(run, [])
    assert run_time_at(run, 1.8e9) == float("-inf")
