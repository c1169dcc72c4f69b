import math
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from builders import camera, make_run
from pipeline.errors import UserError
from pipeline.run_directory import reader
from pipeline.run_directory.layout import observations_of
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.row_groups import RowGroup, read
from pipeline.run_directory.schema import IDENTITIES
from pipeline.run_directory.segments import write_segment

BOX = (1.0, 2.0, 3.0, 4.0)


def event(camera_id: str, track_id: int, global_id: int, at: float) -> dict[str, object]:
    return {
        "camera_id": camera_id,
        "track_id": track_id,
        "global_id": global_id,
        "confidence": 0.5,
        "kind": "assigned",
        "reason": "",
        "at": at,
    }


def started(folder: Path) -> RunDirectory:
    """A run that has written its configuration and nothing else."""
    folder.mkdir(exist_ok=True)
    (folder / "config.yaml").write_text("site: shop\ncameras: {}\n")
    return RunDirectory(folder)


def test_a_run_that_has_just_started_has_empty_tables(tmp_path: Path) -> None:
    run = started(tmp_path / "run")
    assert run.config() == {"site": "shop", "cameras": {}}
    assert run.cameras() == []
    tables = [run.observations(), run.tracklets(), run.events(), run.identities()]
    assert [table.height for table in [*tables, run.trajectories()]] == [0] * 5
    assert run.observations().columns[:4] == ["camera_id", "frame_index", "timestamp", "time"]
    assert run.events().columns == IDENTITIES.names


def test_an_empty_run_has_the_types_of_a_full_one(tmp_path: Path) -> None:
    full = RunDirectory(make_run(tmp_path / "full", [("gate", 0, 1, BOX)], {("gate", 1): 7}))
    empty = started(tmp_path / "empty")
    for name in ("observations", "tracklets", "events", "identities", "trajectories"):
        assert getattr(full, name)().schema == getattr(empty, name)().schema, name


def test_a_folder_that_is_not_a_run_directory_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none", tmp_path / "file"):
        with pytest.raises(UserError, match=r"is not a run directory: it has no config\.yaml"):
            RunDirectory(path)
        (tmp_path / "file").touch()


_BOMB = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{new}: &{new} [{', '.join(10 * [f'*{old}'])}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "text", ["", "- 1", "a: [", "\x00", 2_000 * "[", "a: 2026-13-45", "a: {? [b] : c}", _BOMB]
)
def test_a_damaged_configuration_is_named(tmp_path: Path, text: str) -> None:
    run = started(tmp_path)
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(UserError, match=r"config\.yaml is damaged"):
        run.config()


@pytest.mark.parametrize("name", ["a.b-c_d", "-", "camera=", "part-00000.parquet", "1"])
def test_any_camera_name_is_read_back(tmp_path: Path, name: str) -> None:
    run = RunDirectory(make_run(tmp_path, [(name, 0, 1, BOX)], {(name, 1): 7}))
    assert run.observations()["camera_id"].to_list() == [name]
    assert run.trajectories().select("camera_id", "global_id").rows() == [(name, 7)]


def test_rows_are_ordered_by_camera_frame_and_track(tmp_path: Path) -> None:
    rows = [("yard", 1, 1), ("gate", 2, 1), ("gate", 1, 3), ("gate", 1, 2)]
    run = RunDirectory(make_run(tmp_path, [(*row, BOX) for row in rows], {}))
    for table in (run.observations(), run.trajectories()):
        assert table.select("camera_id", "frame_index", "track_id").rows() == sorted(rows)


def test_the_last_event_over_all_segments_holds_the_global_id(tmp_path: Path) -> None:
    run = started(tmp_path)
    log = [event("gate", 2, 5, 3.0), event("gate", 1, 7, 1.0)], [event("gate", 2, 4, 2.0)]
    for number, events in enumerate(log):
        write_segment(
            tmp_path / "identities", pa.Table.from_pylist(events, IDENTITIES), f"{number}-0"
        )
    assert run.events()["global_id"].to_list() == [5, 7, 4]
    assert run.identities().select("track_id", "global_id").rows() == [(1, 7), (2, 4)]


def test_a_track_may_show_several_people_in_turn(tmp_path: Path) -> None:
    """A part begins exactly at its ``since``; the last event on a part counts."""
    run = RunDirectory(make_run(tmp_path, [("gate", n, 1, BOX) for n in range(4)], {}))
    since = [(7, None), (8, 0.2), (9, 0.2)]
    events = [{**event("gate", 1, global_id, 1.0), "since": when} for global_id, when in since]
    write_segment(tmp_path / "identities", pa.Table.from_pylist(events, IDENTITIES), "2-0")
    assert run.trajectories()["global_id"].to_list() == [7, 7, 9, 9]
    assert run.identities().select("since", "global_id").rows() == [(-math.inf, 7), (0.2, 9)]


def test_a_global_id_occurs_once_per_frame(tmp_path: Path) -> None:
    run = make_run(
        tmp_path / "run",
        [("gate", 0, 1, BOX), ("gate", 0, 2, BOX), ("gate", 1, 2, BOX), ("hall", 0, 1, BOX)],
        {("gate", 1): 7, ("gate", 2): 7, ("hall", 1): 7},
    )
    rows = RunDirectory(run).trajectories()
    # Of two boxes with equal scores, the older track keeps the id.
    assert rows["global_id"].to_list() == [7, None, 7, 7]
    assert rows["confidence"].null_count() == 1


def test_a_track_without_an_identity_stays_in_the_result(tmp_path: Path) -> None:
    rows = [("gate", 0, 1, BOX), ("gate", 0, 2, BOX)]
    run = RunDirectory(make_run(tmp_path, rows, {("gate", 2): 7}))
    result = run.trajectories()
    assert result.select("track_id", "global_id").rows() == [(1, None), (2, 7)]
    assert result["confidence"].is_null().to_list() == [True, False]
    assert result["state"].to_list() == ["unknown", "confirmed"]
    assert result.columns == [
        *("camera_id", "frame_index", "timestamp", "time", "track_id"),
        *("global_id", "confidence", "state"),
        *("x1", "y1", "x2", "y2", "score", "ground_x", "ground_y"),
    ]


def test_an_identity_without_observations_adds_no_row(tmp_path: Path) -> None:
    """The identities of a killed run may be a segment ahead of its observations."""
    run = RunDirectory(make_run(tmp_path, [("gate", 0, 1, BOX)], {("gate", 1): 7, ("gate", 2): 8}))
    assert run.trajectories()["global_id"].to_list() == [7]
    assert run.identities()["global_id"].to_list() == [7, 8]


def test_cameras_are_those_that_were_written(tmp_path: Path) -> None:
    cameras = [camera("gate"), camera("void", frames=0)]
    assert RunDirectory(make_run(tmp_path, [], {}, cameras=cameras)).cameras() == cameras


def test_duckdb_style_reading_sees_the_camera_in_the_path(tmp_path: Path) -> None:
    """Analysts read the folder with hive partitioning, without us."""
    make_run(tmp_path, [("gate", 0, 1, BOX), ("yard", 3, 1, BOX)], {})
    table = pl.read_parquet(tmp_path / "observations" / "**/*.parquet", hive_partitioning=True)
    assert sorted(table.select("camera_id", "frame_index").rows()) == [("gate", 0), ("yard", 3)]


def test_a_part_of_a_run_reads_only_the_identities_of_its_tracks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [("gate", frame, frame // 10 + 1, BOX) for frame in range(30)]
    path = make_run(tmp_path / "run", rows, {})
    (segment,) = observations_of(path, "gate").iterdir()
    table = pq.read_table(segment, partitioning=None)
    segment.unlink()
    for number in range(3):
        write_segment(segment.parent, table.slice(10 * number, 10), "1-0")
    for track_id, global_id in [(1, 4), (3, 5), (1, 6)]:
        events = [event("gate", track_id, global_id, 9.0)]
        write_segment(path / "identities", pa.Table.from_pylist(events, IDENTITIES), "2-0")
    found: list[int] = []

    def noted(groups: Sequence[RowGroup], schema: pa.Schema, columns: Sequence[str]) -> object:
        if schema is IDENTITIES:
            # That of the builder is empty and says nothing.
            found.extend(group.ranges["track_id"][0] for group in groups if group.rows)
        return read(groups, schema, columns)

    monkeypatch.setattr(reader, "read", noted)
    (first,) = RunDirectory(path).chunks("gate", 0, 9)
    assert (set(first["global_id"]), found) == ({6}, [1, 1])
    found.clear()
    (last,) = RunDirectory(path).chunks("gate", 20, 29)
    assert (set(last["global_id"]), found) == ({5}, [3])
    found.clear()
    assert list(RunDirectory(path).chunks("gate", 30, 99)) == []
    assert found == []
    (whole,) = RunDirectory(path).chunks("gate")
    assert whole["global_id"].to_list() == [6] * 10 + [None] * 10 + [5] * 10
