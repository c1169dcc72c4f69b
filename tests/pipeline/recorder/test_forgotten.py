"""Filtering the forgotten parts of tracks out of later messages."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from builders import tracklet
from pipeline.bus.messages import TrackletMessage, tracklet_message, tracklet_of, unpack
from pipeline.recorder.forgotten import ForgottenParts
from pipeline.run_directory.schema import OBSERVATIONS, TrackPart


def rows(*found: tuple[int, float]) -> pa.Table:
    return pa.Table.from_pylist(
        [{"track_id": track, "timestamp": time} for track, time in found], OBSERVATIONS
    )


def tracklet_with(**changes: object) -> TrackletMessage:
    """A track from 0 s to 4 s with one exemplar per second."""
    base = tracklet("gate", 1, 0.0, 4.0, closed=True)
    times = np.arange(5.0)
    values: dict[str, Any] = {
        "count": 50,
        "exemplars": np.eye(5, dtype=np.float32),
        "qualities": np.full(5, 0.5, np.float32),
        "exemplar_times": times,
        "path": np.column_stack([times, times, times, times]),
        "ground": np.column_stack([times, times]),
        "text_vectors": np.eye(5, dtype=np.float32),
        "visibilities": np.eye(5, dtype=np.float32),
        **changes,
    }
    return tracklet_message(replace(base, **values), 4.0, "thumbnails/gate/1.jpg")


@pytest.mark.parametrize(
    ("part", "left"),
    [
        (TrackPart("gate", 1), []),
        (TrackPart("gate", 1, None, 2.0), [2.0, 3.0]),
        (TrackPart("gate", 1, 2.0, None), [1.0]),
        (TrackPart("gate", 1, 2.0, 3.0), [1.0, 3.0]),
        (TrackPart("gate", 2), [1.0, 2.0, 3.0]),
        (TrackPart("yard", 1), [1.0, 2.0, 3.0]),
    ],
)
def test_a_part_includes_its_first_time_and_excludes_its_end(
    part: TrackPart, left: list[float]
) -> None:
    table = rows((1, 1.0), (1, 2.0), (1, 3.0))
    assert (
        ForgottenParts([part]).filter_observations("gate", table)["timestamp"].to_pylist() == left
    )


def test_without_forgotten_parts_the_rows_are_unchanged() -> None:
    table = rows((1, 1.0))
    assert ForgottenParts([]).filter_observations("gate", table) is table
    assert ForgottenParts([TrackPart("gate", 9)]).filter_observations("gate", rows()).num_rows == 0


def test_an_open_track_continues_without_its_forgotten_beginning() -> None:
    left = ForgottenParts([TrackPart("gate", 1, None, 2.5)]).filter_tracklet(tracklet_with())
    assert left is not None
    seen = tracklet_of(left)
    assert (seen.start, seen.end, seen.count) == (3.0, 4.0, 20)
    assert seen.exemplar_times.tolist() == [3.0, 4.0]
    assert seen.exemplars.tolist() == np.eye(5)[3:].tolist()
    for packed in (left.text_vectors, left.visibilities):
        assert packed is not None
        assert unpack(packed).tolist() == np.eye(5)[3:].tolist()
    assert len(seen.path) == len(seen.ground) == len(seen.qualities) == 2  # type: ignore[arg-type]
    assert left.thumbnail is None


def test_a_part_in_the_middle_leaves_both_ends() -> None:
    left = ForgottenParts([TrackPart("gate", 1, 1.0, 3.0)]).filter_tracklet(tracklet_with())
    assert left is not None
    assert (left.start, left.end) == (0.0, 4.0)
    assert tracklet_of(left).exemplar_times.tolist() == [0.0, 3.0, 4.0]


def test_nothing_is_left_of_a_completely_forgotten_track() -> None:
    assert (
        ForgottenParts([TrackPart("gate", 1, None, 4.5)]).filter_tracklet(tracklet_with()) is None
    )
    assert (
        ForgottenParts(
            [TrackPart("gate", 1, None, 2.0), TrackPart("gate", 1, 2.0)]
        ).filter_tracklet(tracklet_with())
        is None
    )


def test_other_tracks_are_left_alone() -> None:
    message = tracklet_with()
    assert (
        ForgottenParts([TrackPart("gate", 2), TrackPart("yard", 1)]).filter_tracklet(message)
        is message
    )


def test_a_track_without_exemplars_is_filtered_too() -> None:
    none = {
        "exemplars": np.zeros((0, 0), np.float32),
        "qualities": np.zeros(0, np.float32),
        "exemplar_times": np.zeros(0),
        "ground": None,
        "text_vectors": None,
        "visibilities": None,
    }
    left = ForgottenParts([TrackPart("gate", 1, None, 2.5)]).filter_tracklet(tracklet_with(**none))
    assert left is not None
    assert tracklet_of(left).exemplars.shape == (0, 0)


def test_forgotten_parts_expire_after_a_day() -> None:
    forgotten = ForgottenParts([TrackPart("gate", 1, None, 10.0), TrackPart("gate", 2, None, 20.0)])
    forgotten.expire(86_410.0)
    assert [part.track_id for part in forgotten.parts] == [1, 2]
    forgotten.expire(86_410.1)
    assert [part.track_id for part in forgotten.parts] == [2]


def test_a_part_ends_at_the_earlier_of_two_moments() -> None:
    assert TrackPart("gate", 1).until(5.0) == TrackPart("gate", 1, None, 5.0)
    assert TrackPart("gate", 1, 1.0, 3.0).until(5.0) == TrackPart("gate", 1, 1.0, 3.0)
