"""After a person is forgotten no file of the run directory contains data of them."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from builders import Observation, camera, make_run, table_of
from pipeline.config.schema import CameraConfig
from pipeline.errors import UserError
from pipeline.exports import FORMATS, export_run
from pipeline.pictures.render import render_videos
from pipeline.recorder.forget import blur_in_videos, find_person, remove_leftovers, remove_person
from pipeline.report import write_report
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.schema import IDENTITIES, OBSERVATIONS, TRACKLETS, TrackPart
from pipeline.run_directory.segments import write_segment
from pipeline.run_directory.selection import Selection
from pipeline.sources.video_file import VideoFile
from recorder_helpers import crashed
from videos import make_video

# The left edge of a box identifies the person.
SEVEN: tuple[float, float, float, float] = (77.0, 20.0, 117.0, 90.0)
OTHER: tuple[float, float, float, float] = (11.0, 20.0, 51.0, 90.0)
#: Track 3 of the gate shows the other person until 1 s and person 7 after that.
ROWS: list[Observation] = [
    *(("gate", frame, 1, SEVEN) for frame in range(10)),
    *(("gate", frame, 2, OTHER) for frame in range(10, 20)),
    *(("gate", frame, 3, OTHER if frame < 10 else SEVEN) for frame in range(20)),
    *(("yard", frame, 1, SEVEN) for frame in range(5)),
]
EMBEDDINGS = {("gate", 1): 0.701, ("gate", 2): 0.202, ("gate", 3): 0.703, ("yard", 1): 0.704}
OF_SEVEN = (0.701, 0.703, 0.704)


def event(camera_id: str, track: int, owner: int, **more: object) -> dict[str, object]:
    return {
        **{"camera_id": camera_id, "track_id": track, "global_id": owner, "confidence": 0.9},
        **{"kind": "assigned", "reason": "new person", "at": 1.0, "since": None},
        **more,
    }


EVENTS = [
    # First assigned to 4, which was then merged into 7.
    event("yard", 1, 4),
    event("gate", 1, 7),
    event("gate", 2, 7),
    event("gate", 2, 2, kind="reassigned"),
    event("gate", 3, 2),
    event("gate", 3, 7, since=1.0, kind="split"),
    event("yard", 1, 7, kind="merged", reason="same person as 4"),
]


def picture(key: tuple[str, int]) -> bytes:
    return b"the face of %s %d" % (key[0].encode(), key[1])


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """7 is track 1 of the gate and of the yard, and the second half of track 3 of the gate."""
    folder = make_run(tmp_path / "run", ROWS, {}, cameras=[camera("gate", 20), camera("yard", 20)])
    tracklets = []
    for key, value in EMBEDDINGS.items():
        path = folder / "thumbnails" / key[0] / f"{key[1]}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(key))
        tracklets.append(
            {
                **{"camera_id": key[0], "track_id": key[1], "start": 0.0, "end": 1.9, "n": 20},
                **{"embedding": [value, 0.5], "quality": 0.5},
                **{"text_vector": np.float16([value, 0.5]), "visibilities": np.float16([1])},
                "thumbnail": f"thumbnails/{key[0]}/{key[1]}.jpg",
            }
        )
    for name, rows, columns in (
        ("tracklets", tracklets, TRACKLETS),
        ("identities", EVENTS, IDENTITIES),
    ):
        shutil.rmtree(folder / name)
        for row in rows:
            write_segment(folder / name, pa.Table.from_pylist([row], columns), "1-0")
    return RunDirectory(folder)


def numbers(value: object) -> Iterator[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from numbers(part)
    elif isinstance(value, float | int):
        yield float(value)


def traces(folder: Path) -> set[str]:
    """Traces of person 7 in any file of ``folder``, raw and decoded."""
    found = set()
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        data = path.read_bytes()
        if any(picture(key) in data for key in (("gate", 1), ("gate", 3), ("yard", 1))):
            found.add("picture")
        if any(np.float32(value).tobytes() in data for value in OF_SEVEN):
            found.add("embedding")
        if path.suffix == ".parquet":
            found |= traces_in(pq.read_table(path, partitioning=None).to_pylist())
    return found


def traces_in(rows: list[dict[str, Any]]) -> set[str]:
    values = set(numbers(rows))
    marks = {
        "embedding": any(float(np.float32(value)) in values for value in OF_SEVEN),
        "box": 77.0 in values,
        "id": any(row.get("global_id") == 7 for row in rows),
    }
    return {mark for mark, is_there in marks.items() if is_there}


def test_no_data_of_the_person_is_left_in_the_run_directory(run: RunDirectory) -> None:
    write_report(run)
    export_run(run, "csv")
    assert traces(run.path) == {"picture", "embedding", "box", "id"}
    removed = remove_person(run, find_person(run, 7))
    assert traces(run.path) == set()
    assert removed == {
        "observations": 25,
        "tracklets": 2,
        "embeddings": 3,
        "thumbnails": 3,
        "identity events": 5,
        "reports": 1,
        "exports": 1,
    }


def test_no_export_has_their_id_or_their_boxes(run: RunDirectory, tmp_path: Path) -> None:
    remove_person(run, find_person(run, 7))
    assert set(run.trajectories()["global_id"]) == {2}
    for format in sorted(set(FORMATS) - {"geojson"}):
        out = export_run(run, format, tmp_path / f"out-{format}")
        files = [out] if out.is_file() else sorted(out.rglob("*"))
        assert files
        for path in files:
            data = path.read_bytes()
            assert b"77.0" not in data, (format, path)
            assert b"yard,0" not in data, (format, path)
    rows = export_run(run, "jsonl", tmp_path / "rows.jsonl").read_text().splitlines()
    assert {json.loads(row)["global_id"] for row in rows} == {2}


def test_other_people_are_unchanged(run: RunDirectory) -> None:
    before = run.trajectories()
    remove_person(run, find_person(run, 7))
    others = before.filter(before["global_id"] == 2)
    assert run.trajectories().equals(others)
    assert (run.path / "thumbnails" / "gate" / "2.jpg").read_bytes() == picture(("gate", 2))
    tracklets = {row["track_id"]: row for row in run.tracklets().iter_rows(named=True)}
    assert tracklets.keys() == {2, 3}
    assert tracklets[2]["embedding"][0] == pytest.approx(0.202)
    # The embedding of the shared track may be of either person.
    shared = tracklets[3]
    assert (shared["embedding"], shared["thumbnail"]) == (None, None)
    assert (shared["text_vector"], shared["visibilities"]) == (None, None)
    assert tracklets[2]["text_vector"][0] == pytest.approx(0.202, abs=1e-3)
    assert (shared["start"], shared["end"], shared["n"]) == (0.0, 0.9, 10)


def test_forgetting_an_unknown_person_is_refused(run: RunDirectory) -> None:
    remove_person(run, find_person(run, 7))
    with pytest.raises(UserError, match="has no identity 7: expected one listed by `fusetrack"):
        find_person(run, 7)
    with pytest.raises(UserError, match="has no identity 99"):
        find_person(run, 99)


def test_a_merged_identity_is_named(run: RunDirectory) -> None:
    with pytest.raises(UserError, match="identity 4 was merged into 7: give that"):
        find_person(run, 4)


def test_a_dry_run_counts_the_same_and_changes_nothing(run: RunDirectory) -> None:
    write_report(run)
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    planned = remove_person(run, find_person(run, 7), dry=True)
    assert {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()} == before
    assert planned == remove_person(run, find_person(run, 7))


def test_the_parts_of_shared_tracks_are_found(run: RunDirectory) -> None:
    person = find_person(run, 7)
    assert person.parts == [TrackPart("gate", 1), TrackPart("gate", 3, 1.0), TrackPart("yard", 1)]
    assert person.shared == {("gate", 3): (0.0, 0.9, 10)}
    assert find_person(run, 2).parts == [TrackPart("gate", 2), TrackPart("gate", 3, None, 1.0)]


@pytest.mark.parametrize("step", range(1, 18))
def test_after_a_crash_in_the_middle_the_same_call_removes_the_rest(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    died = crashed(step, lambda: remove_person(run, find_person(run, 7)), monkeypatch)
    assert died == (step <= 16)
    assert (run.trajectories()["global_id"] == 2).sum() == 20
    try:
        remove_person(run, find_person(run, 7))
    except UserError:
        # Everything was removed before the crash.
        pass
    assert traces(run.path) == set()
    assert run.trajectories().height == 20


def test_leftovers_of_a_killed_run_are_removed(run: RunDirectory) -> None:
    (run.path / "tracklets" / "part-00009.partial").write_bytes(picture(("gate", 1)))
    (run.path / "redis").mkdir()
    (run.path / "redis" / "appendonly.aof").write_bytes(np.float32(0.701).tobytes())
    (run.path / "thumbnails" / "gate" / "1.jpg").unlink()
    assert remove_leftovers(run.path, dry=True) == {
        "partial files": 1,
        "Redis files": 1,
    }
    assert remove_leftovers(run.path).total() == 2
    assert remove_person(run, find_person(run, 7))["thumbnails"] == 2
    assert traces(run.path) == set()
    assert not remove_leftovers(run.path)


def test_in_a_video_only_the_forgotten_person_is_covered(run: RunDirectory, tmp_path: Path) -> None:
    sources = {}
    for name in ("gate", "yard"):
        rng = np.random.default_rng(1)
        image = np.repeat(np.repeat(rng.integers(0, 256, (30, 40, 3), np.uint8), 4, 0), 4, 1)
        sources[name] = make_video(tmp_path / f"{name}.mkv", [image] * 20, codec="ffv1")
    config = {"site": "t", "cameras": {n: {"source": str(p)} for n, p in sources.items()}}
    (run.path / "config.yaml").write_text(yaml.safe_dump(config))
    (gate, _) = render_videos(run)
    before = [f.image.astype(float) for f in VideoFile("g", str(gate), CameraConfig()).frames()]
    assert blur_in_videos(run, find_person(run, 7).parts) == 2
    after = [f.image.astype(float) for f in VideoFile("g", str(gate), CameraConfig()).frames()]
    assert len(after) == len(before) == 20
    inside = (slice(30, 85), slice(84, 112))
    for index in range(20):
        # They are unrecognisable in every frame.
        likeness = np.corrcoef(before[index][inside].ravel(), after[index][inside].ravel())[0, 1]
        assert likeness < 0.5, index
        assert np.abs(before[index][95:, :60] - after[index][95:, :60]).mean() < 6
    assert list(run.path.rglob("*.partial*")) == []
    for part in run.path.glob("video/*"):
        assert part.suffix == ".mp4"


def test_an_unreadable_video_is_reported(run: RunDirectory) -> None:
    (run.path / "video").mkdir()
    (run.path / "video" / "gate.mp4").write_bytes(b"no film")
    with pytest.raises(UserError, match=r"gate\.mp4"):
        blur_in_videos(run, find_person(run, 7).parts)
    assert (run.path / "video" / "gate.mp4").read_bytes() == b"no film"


def test_without_a_video_there_is_nothing_to_cover(run: RunDirectory) -> None:
    assert blur_in_videos(run, find_person(run, 7).parts) == 0


def left_of(folder: Path) -> list[tuple[str, int, int, int | None]]:
    rows = RunDirectory(folder).trajectories()
    return rows.select("camera_id", "frame_index", "track_id", "global_id").rows()


def test_a_camera_of_a_person_is_removed_and_the_rest_stays(run: RunDirectory) -> None:
    before = left_of(run.path)
    part = RunDirectory(run.path, Selection(cameras=frozenset({"yard"})))
    removed = remove_person(part, find_person(part, 7))
    assert removed["observations"] == 5
    assert left_of(run.path) == [row for row in before if row[0] != "yard"]
    assert find_person(run, 7).parts
    with pytest.raises(UserError, match="has no identity 7"):
        find_person(part, 7)


def test_a_time_of_a_person_is_removed_and_the_rest_stays(run: RunDirectory) -> None:
    """Of track 1, 0 to 0.9 s, the second half; of track 3, which is 7 from 1 s on, nothing."""
    before = left_of(run.path)
    part = RunDirectory(run.path, Selection(0.5, 1.0))
    person = find_person(part, 7)
    assert remove_person(part, person)["observations"] == 5
    gone = [("gate", frame, 1, 7) for frame in range(5, 10)]
    assert left_of(run.path) == [row for row in before if row not in gone]
    row = run.tracklets().filter(camera_id="gate", track_id=1).row(0, named=True)
    assert (row["end"], row["n"], row["embedding"], row["thumbnail"]) == (0.4, 5, None, None)
    assert run.tracklets().filter(camera_id="gate", track_id=3)["embedding"][0] is not None
    with pytest.raises(UserError, match="has no rows of identity 7 at this time"):
        find_person(RunDirectory(run.path, Selection(100.0, 200.0)), 7)


def test_only_segments_that_hold_the_person_are_rewritten(run: RunDirectory) -> None:
    folder = run.path / "observations" / "camera_id=gate"
    for number, track in ((1, 2), (2, 4)):
        row = {"frame_index": 30, "timestamp": 3.0, "track_id": track, "score": 0.5}
        row |= dict(zip(("x1", "y1", "x2", "y2"), OTHER, strict=True))
        empty = {"ground_x": None, "ground_y": None}
        write_segment(folder, table_of([{**row, **empty}], OBSERVATIONS), "", number)
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    alive = []
    remove_person(run, find_person(run, 7), alive=lambda: alive.append(1))
    after = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    changed = [name for name in before if before[name] != after[name]]
    assert changed == ["part-00000.parquet"]
    assert len(alive) > 4


def test_a_thumbnail_outside_the_run_is_left_alone(run: RunDirectory, tmp_path: Path) -> None:
    (tmp_path / "mine.jpg").write_bytes(b"not of this run")
    row = {"camera_id": "gate", "track_id": 1, "start": 0.0, "end": 0.9, "n": 10}
    more = {"embedding": None, "quality": 0.5, "thumbnail": "../mine.jpg"}
    write_segment(run.path / "tracklets", table_of([{**row, **more}], TRACKLETS), "")
    with pytest.raises(UserError, match="is not inside it"):
        remove_person(run, find_person(run, 7))
    assert (tmp_path / "mine.jpg").exists()
    assert run.observations().height == len(ROWS)
