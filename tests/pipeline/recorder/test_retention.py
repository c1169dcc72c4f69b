"""Retention on a clock that the test advances; a crash leaves a readable run."""

import os
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from builders import Observation, camera, make_run, table_of
from pipeline.config.schema import RetentionConfig
from pipeline.errors import UserError
from pipeline.recorder.camera_times import CameraClocks, CameraTimes, times_at
from pipeline.recorder.retention import Retention
from pipeline.run_directory import segments
from pipeline.run_directory.compaction import compact
from pipeline.run_directory.progress import RecorderProgress, write_progress
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.schema import IDENTITIES, OBSERVATIONS, TRACKLETS, CameraRecord
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
            next(other.rglob("camera_id=gate/part-*.parquet")), partitioning=None
        )
        write_segment(folder / "observations" / "camera_id=gate", table, f"{first}-0")
    for number in (1, 2, 3):
        picture = folder / "thumbnails" / "gate" / f"{number}.jpg"
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.write_bytes(b"picture %d" % number)
        name = f"thumbnails/gate/{number}.jpg"
        tracklets = table_of([one(("gate", number), float(number), name)], TRACKLETS)
        write_segment(folder / "tracklets", tracklets, f"{number}-0")
        events = table_of([event(("gate", number), float(number))], IDENTITIES)
        write_segment(folder / "identities", events, f"{number}-0")
    return folder


def at(now: float) -> CameraTimes:
    """This time on the only camera; on the wall it is much later."""
    return CameraTimes({"gate": now}, 1.8e9)


def frames(folder: Path) -> list[int]:
    return RunDirectory(folder).observations()["frame_index"].to_list()


def parts(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("part-*"))


def test_without_a_limit_everything_is_kept(run: Path) -> None:
    before = sorted(run.rglob("*"))
    assert not Retention(run, RetentionConfig()).remove(at(1e12))
    assert sorted(run.rglob("*")) == before


def test_expired_segments_are_deleted_and_partly_expired_ones_rewritten(run: Path) -> None:
    removed = Retention(run, RetentionConfig(observations_s=1.0)).remove(at(2.45))
    assert removed == {"observations": 15}
    assert frames(run) == list(range(15, 30))
    assert parts(run / "observations" / "camera_id=gate") == [
        "part-00001.parquet",
        "part-00002.parquet",
    ]
    assert RunDirectory(run).tracklets().height == 3


def test_rows_exactly_at_the_limit_are_kept(run: Path) -> None:
    retention = Retention(run, RetentionConfig(observations_s=1.0, tracklets_s=1.0))
    assert not retention.remove(at(1.0))
    assert retention.remove(at(1.0000001)) == {"observations": 1}
    assert frames(run)[0] == 1
    assert not retention.remove(at(2.0))["tracklets"]
    assert retention.remove(at(2.0000001))["tracklets"] == 1


def test_the_last_segment_is_kept_without_rows_for_the_recorder(run: Path) -> None:
    folder = run / "observations" / "camera_id=gate"
    assert (
        Retention(run, RetentionConfig(observations_s=1.0)).remove(at(100.0))["observations"] == 30
    )
    assert frames(run) == []
    assert parts(folder) == ["part-00002.parquet"]
    assert last_position(folder) == "20-0"
    assert segments.next_number(folder) == 3


def test_embedding_and_thumbnail_are_removed_with_their_tracklet(run: Path) -> None:
    removed = Retention(run, RetentionConfig(tracklets_s=1.5)).remove(at(3.0))
    assert removed == {"tracklets": 1, "thumbnails": 1}
    assert RunDirectory(run).tracklets()["track_id"].to_list() == [2, 3]
    assert [p.name for p in sorted(run.rglob("*.jpg"))] == ["2.jpg", "3.jpg"]


def test_a_thumbnail_may_expire_before_its_tracklet(run: Path) -> None:
    retention = Retention(run, RetentionConfig(thumbnails_s=0.5, tracklets_s=2.5))
    assert retention.remove(at(3.0)) == {"thumbnails": 2}
    tracklets = RunDirectory(run).tracklets()
    assert tracklets["thumbnail"].to_list() == [None, None, "thumbnails/gate/3.jpg"]
    assert tracklets["embedding"].to_list()[0] == [0.125, 1.0]
    assert not retention.remove(at(3.0))
    assert retention.remove(at(3.6)) == {"tracklets": 1, "thumbnails": 1}
    assert RunDirectory(run).tracklets()["track_id"].to_list() == [2, 3]


def test_identities_expire_and_their_boxes_become_unknown(run: Path) -> None:
    assert Retention(run, RetentionConfig(identities_s=1.0)).remove(at(2.5)) == {
        "identity events": 1
    }
    assert RunDirectory(run).events()["at"].to_list() == [2.0, 3.0]
    trajectories = RunDirectory(run).trajectories()
    assert trajectories.height == 30
    assert trajectories["global_id"].null_count() == 10


def test_a_video_expires_with_its_last_frame(run: Path) -> None:
    video = run / "video" / "gate.mp4"
    video.parent.mkdir()
    video.write_bytes(b"film")
    retention = Retention(run, RetentionConfig(video_s=10.0))
    assert not retention.remove(at(13.1))
    assert video.exists()
    assert retention.remove(at(13.2)) == {"videos": 1}
    assert not video.exists()


def test_report_and_exports_are_removed_when_rows_are(run: Path) -> None:
    (run / "report.html").write_text("page")
    (run / "stats").mkdir()
    (run / "stats" / "visits.csv").write_text("kind,place,global_id")
    (run / "export" / "mot").mkdir(parents=True)
    (run / "export" / "mot" / "gate.txt").write_text("1,2,3")
    retention = Retention(run, RetentionConfig(observations_s=1.0))
    assert not retention.remove(at(1.0))
    assert (run / "report.html").exists()
    assert retention.remove(at(1.05)) == {
        "observations": 1,
        "reports": 1,
        "exports": 1,
        "statistics": 1,
    }
    assert not (run / "report.html").exists()
    assert not (run / "stats" / "visits.csv").exists()
    assert not (run / "export" / "mot" / "gate.txt").exists()


def test_new_rows_of_a_growing_run_expire_in_turn(run: Path) -> None:
    retention = Retention(run, RetentionConfig(observations_s=1.0))
    assert retention.remove(at(2.0))["observations"] == 10
    more = make_run(run.parent / "more", [("gate", 40, 4, BOX)], {})
    table = pa.parquet.read_table(next(more.rglob("camera_id=gate/part-*")), partitioning=None)
    write_segment(run / "observations" / "camera_id=gate", table, "40-0")
    assert retention.remove(at(4.5))["observations"] == 20
    assert frames(run) == [40]
    assert retention.remove(at(5.5))["observations"] == 1


def test_it_checks_again_only_after_the_tolerated_delay(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    retention = Retention(run, RetentionConfig(observations_s=2.0))
    looked: list[CameraTimes] = []
    monkeypatch.setattr(retention, "remove", looked.append)
    for now in (0.0, 0.09, 0.1, 0.15, 0.2):
        retention.remove_when_due(at(now))
    assert [now.own["gate"] for now in looked] == [0.0, 0.1, 0.2]
    retention.remove_when_due(CameraTimes({}, 5.0))
    assert len(looked) == 3


@pytest.mark.parametrize("step", range(1, 13))
def test_a_crash_in_the_middle_leaves_a_readable_run_and_the_next_pass_finishes(
    run: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    config = RetentionConfig(
        observations_s=1.45, tracklets_s=1.5, identities_s=1.5, thumbnails_s=0.5
    )
    died = crashed(step, lambda: Retention(run, config).remove(at(3.0)), monkeypatch)
    assert died == (step <= 9)
    directory = RunDirectory(run)
    assert directory.trajectories().filter(pl.col("timestamp") >= 1.55).height == 14
    assert {2, 3} <= set(directory.tracklets()["track_id"])
    Retention(run, config).remove(at(3.0))
    assert frames(run) == list(range(16, 30))
    assert directory.tracklets()["track_id"].to_list() == [2, 3]
    assert directory.events()["at"].to_list() == [2.0, 3.0]
    assert [path.name for path in run.rglob("*.jpg")] == ["3.jpg"]
    assert list(run.rglob("*.partial")) == []


LATER = 1.8e9


def live(camera_id: str, end: float) -> CameraRecord:
    return msgspec.structs.replace(camera(camera_id, 1), end=end, timestamp_origin="rtcp")


def test_a_recording_ages_only_by_its_frames() -> None:
    wall = iter(range(100))
    clocks = CameraClocks(lambda: float(next(wall)), {})
    assert clocks.now([]).own == {}
    assert clocks.now([camera("gate", 50)]).own == {"gate": 5.0}
    assert clocks.now([camera("gate", 50)]).own == {"gate": 5.0}
    both = clocks.now([camera("gate", 50), camera("yard", 80)])
    assert both.own == {"gate": 5.0, "yard": 8.0}


def test_a_live_camera_ages_while_it_is_silent() -> None:
    moments = iter([10.0, 25.0, 30.0, 31.0])
    clocks = CameraClocks(lambda: next(moments), {})
    assert clocks.now([live("gate", 5.0)]).own == {"gate": 5.0}
    assert clocks.now([live("gate", 5.0)]).own == {"gate": 20.0}
    assert clocks.now([live("gate", 26.0), camera("yard", 80)]).own == {"gate": 26.0, "yard": 8.0}
    # Another recorder, started at 31: the camera has been silent since 30.
    again = CameraClocks(lambda: next(moments), clocks.reached)
    assert again.now([live("gate", 26.0)]).own == {"gate": 27.0}


def test_a_clock_in_the_future_deletes_nothing_of_other_cameras(run: Path) -> None:
    """Nor what the same camera recorded before its clock went wrong."""
    now = CameraTimes({"gate": 2.0, "yard": 9e9}, LATER)
    assert Retention(run, RetentionConfig(observations_s=1.0)).remove(now)["observations"] == 10
    assert frames(run) == list(range(10, 30))
    jumped = CameraTimes({"gate": 9e9}, 3.0)
    assert Retention(run, RetentionConfig(observations_s=1.0)).remove(jumped)["observations"] == 10
    assert frames(run) == list(range(20, 30))


def test_rows_in_the_future_are_judged_by_their_own_clock() -> None:
    gate = pa.array(["gate"] * 3).dictionary_encode()
    now = CameraTimes({"gate": 9000.0}, 1000.0)
    times = np.array([8899.0, 8900.0, 950.0])
    assert now.expired(gate, times, 100.0).tolist() == [True, False, False]
    assert now.expired(gate[:0], times[:0], 100.0).tolist() == []


def test_rows_of_a_clock_that_was_in_the_future_age_with_their_file(run: Path) -> None:
    # The frames are of 0 to 2.9 s, which is to come: the clock is right again.
    written = -1000.0
    for path in run.rglob("part-*.parquet"):
        os.utime(path, (written, written))
    config = RetentionConfig(observations_s=10.0, identities_s=10.0, tracklets_s=10.0)
    retention = Retention(run, config)
    assert retention.remove(CameraTimes({"gate": written + 10.0}, written + 10.0)) == {}
    removed = retention.remove(CameraTimes({"gate": written + 10.5}, written + 10.5))
    assert removed == {"observations": 30, "identity events": 3, "tracklets": 3, "thumbnails": 3}


def test_a_clock_that_is_behind_is_judged_by_itself() -> None:
    """A camera that believes in 1970 loses nothing at once, and everything in time."""
    yard = pa.array(["yard"] * 2).dictionary_encode()
    now = CameraTimes({"gate": LATER, "yard": 500.0}, LATER)
    assert now.expired(yard, np.array([399.0, 400.0]), 100.0).tolist() == [True, False]


def test_a_camera_without_a_record_has_the_latest_time_that_is_not_in_the_future() -> None:
    assert CameraTimes({"gate": 5.0, "yard": 9e9}, LATER).of("void") == 5.0
    assert CameraTimes({}, LATER).of("void") == float("-inf")


def set_cameras(folder: Path, cameras: list[CameraRecord]) -> float:
    (folder / "cameras.json").write_bytes(msgspec.json.encode(cameras))
    return (folder / "cameras.json").stat().st_mtime


def test_the_time_of_a_finished_run_continues_from_its_recording(run: Path) -> None:
    recorded_at = set_cameras(run, [camera("gate", 50), camera("yard", 70)])
    assert times_at(run, recorded_at).own == {"gate": 5.0, "yard": 7.0}
    assert times_at(run, recorded_at + 3600).own == {"gate": 3605.0, "yard": 3607.0}
    assert times_at(run, recorded_at - 3600).own == {"gate": 5.0, "yard": 7.0}
    set_cameras(run, [live("gate", 5.0)])
    assert times_at(run, LATER).own == {"gate": LATER}
    write_progress(run, RecorderProgress(reached={"gate": LATER - 60}))
    assert times_at(run, LATER).own == {"gate": 65.0}
    set_cameras(run, [])
    assert times_at(run, LATER).own == {}


def test_a_thumbnail_outside_the_run_is_not_deleted(run: Path, tmp_path: Path) -> None:
    other = tmp_path / "mine.jpg"
    other.write_bytes(b"not of this run")
    row = one(("gate", 9), 1.0, "../mine.jpg")
    write_segment(run / "tracklets", table_of([row], TRACKLETS), "9-0")
    retention = Retention(run, RetentionConfig(tracklets_s=1.0))
    # That segment stays, and the others are judged.
    assert retention.remove(at(9.0)) == {"tracklets": 3, "thumbnails": 3}
    (fault,) = retention.faults
    assert "names '../mine.jpg', which is not inside it" in fault
    assert other.exists()


def test_a_video_outside_the_run_is_not_deleted(run: Path, tmp_path: Path) -> None:
    (run / "video").mkdir()
    (run / "video" / "gate.mp4").symlink_to(tmp_path / "mine.mp4")
    (tmp_path / "mine.mp4").write_bytes(b"not of this run")
    retention = Retention(run, RetentionConfig(video_s=1.0))
    retention.remove(at(1e6))
    assert (tmp_path / "mine.mp4").exists()


@pytest.mark.parametrize("damage", ["empty", "cut", "rubbish", "footer"])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_damaged_segment_is_named_and_the_others_lose_their_rows(
    run: Path, damage: str, number: int
) -> None:
    folder = run / "observations" / "camera_id=gate"
    path = segments.segments(folder)[number]
    whole = path.read_bytes()
    left = {"empty": b"", "cut": whole[:-9], "rubbish": b"x" * 99, "footer": whole[:200] + b"PAR1"}
    path.write_bytes(left[damage])
    retention = Retention(run, RetentionConfig(observations_s=1.0, tracklets_s=1.0))
    assert retention.remove(at(100.0)) == {"observations": 20, "tracklets": 3, "thumbnails": 3}
    (fault,) = retention.faults
    assert fault.startswith(f"{path} is damaged")
    assert "Its expired data was not removed" in fault
    assert path.read_bytes() == left[damage]
    path.write_bytes(whole)
    assert retention.remove(at(100.0)) == {"observations": 10}
    assert retention.faults == []


def test_tables_outside_the_run_are_not_rewritten(run: Path, tmp_path: Path) -> None:
    (run / "tracklets").rename(tmp_path / "elsewhere")
    (run / "tracklets").symlink_to(tmp_path / "elsewhere")
    before = {path: path.read_bytes() for path in (tmp_path / "elsewhere").iterdir()}
    with pytest.raises(UserError, match="not inside it"):
        Retention(run, RetentionConfig(tracklets_s=1.0)).remove(at(9.0))
    assert {path: path.read_bytes() for path in (tmp_path / "elsewhere").iterdir()} == before


def test_what_a_file_covers_does_not_come_back(run: Path) -> None:
    folder = run / "observations" / "camera_id=gate"
    kept = {path: path.read_bytes() for path in folder.iterdir()}
    compact(segments.segments(folder), OBSERVATIONS)
    for path, data in kept.items():
        path.write_bytes(data)
    assert (
        Retention(run, RetentionConfig(observations_s=1.0)).remove(at(2.45))["observations"] == 15
    )
    assert frames(run) == list(range(15, 30))
    assert parts(folder) == ["part-00000-00002.parquet"]
