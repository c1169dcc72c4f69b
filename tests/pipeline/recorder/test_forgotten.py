"""What is forgotten of tracks that are still on their way."""

import numpy as np
import pyarrow as pa
import pytest

from builders import tracklet
from pipeline.bus.messages import TrackletMessage, tracklet_message, tracklet_of
from pipeline.recorder.forgotten import Forgotten
from pipeline.run_directory.schema import OBSERVATIONS, TrackPart
from trackers.tracklet import Tracklet


def rows(*found: tuple[int, float]) -> pa.Table:
    return pa.Table.from_pylist(
        [{"track_id": track, "timestamp": time} for track, time in found], OBSERVATIONS
    )


def told(**changes: object) -> TrackletMessage:
    """A track from 0 s to 4 s with a look a second."""
    base = tracklet("gate", 1, 0.0, 4.0, closed=True)
    times = np.arange(5.0)
    values = {name: getattr(base, name) for name in Tracklet.__slots__}
    values |= {
        "count": 50,
        "exemplars": np.eye(5, dtype=np.float32),
        "qualities": np.full(5, 0.5, np.float32),
        "exemplar_times": times,
        "path": np.column_stack([times, times, times, times]),
        "ground": np.column_stack([times, times]),
        **changes,
    }
    return tracklet_message(Tracklet(**values), 4.0, "thumbnails/gate/1.jpg")


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
def test_observations_go_from_the_first_moment_until_just_before_the_last(
    part: TrackPart, left: list[float]
) -> None:
    table = rows((1, 1.0), (1, 2.0), (1, 3.0))
    assert Forgotten([part]).observations("gate", table)["timestamp"].to_pylist() == left


def test_when_nothing_is_forgotten_the_rows_are_the_same() -> None:
    table = rows((1, 1.0))
    assert Forgotten([]).observations("gate", table) is table
    assert Forgotten([TrackPart("gate", 9)]).observations("gate", rows()).num_rows == 0


def test_an_open_track_goes_on_without_its_beginning() -> None:
    left = Forgotten([TrackPart("gate", 1, None, 2.5)]).tracklet(told())
    assert left is not None
    seen = tracklet_of(left)
    assert (seen.start, seen.end, seen.count) == (3.0, 4.0, 20)
    assert seen.exemplar_times.tolist() == [3.0, 4.0]
    assert seen.exemplars.tolist() == np.eye(5)[3:].tolist()
    assert len(seen.path) == len(seen.ground) == len(seen.qualities) == 2  # type: ignore[arg-type]
    assert left.thumbnail is None


def test_a_part_in_the_middle_leaves_both_ends() -> None:
    left = Forgotten([TrackPart("gate", 1, 1.0, 3.0)]).tracklet(told())
    assert left is not None
    assert (left.start, left.end) == (0.0, 4.0)
    assert tracklet_of(left).exemplar_times.tolist() == [0.0, 3.0, 4.0]


def test_of_a_track_that_is_forgotten_whole_nothing_is_left() -> None:
    assert Forgotten([TrackPart("gate", 1, None, 4.5)]).tracklet(told()) is None
    assert (
        Forgotten([TrackPart("gate", 1, None, 2.0), TrackPart("gate", 1, 2.0)]).tracklet(told())
        is None
    )


def test_other_tracks_are_left_alone() -> None:
    message = told()
    assert Forgotten([TrackPart("gate", 2), TrackPart("yard", 1)]).tracklet(message) is message


def test_a_track_without_looks_stays_one() -> None:
    none = {
        "exemplars": np.zeros((0, 0), np.float32),
        "qualities": np.zeros(0, np.float32),
        "exemplar_times": np.zeros(0),
        "ground": None,
    }
    left = Forgotten([TrackPart("gate", 1, None, 2.5)]).tracklet(told(**none))
    assert left is not None
    assert tracklet_of(left).exemplars.shape == (0, 0)


def test_after_a_day_nothing_of_a_track_can_come() -> None:
    forgotten = Forgotten([TrackPart("gate", 1, None, 10.0), TrackPart("gate", 2, None, 20.0)])
    forgotten.clear(86_410.0)
    assert [part.track_id for part in forgotten.parts] == [1, 2]
    forgotten.clear(86_410.1)
    assert [part.track_id for part in forgotten.parts] == [2]


def test_a_part_ends_at_the_earlier_of_two_moments() -> None:
    assert TrackPart("gate", 1).until(5.0) == TrackPart("gate", 1, None, 5.0)
    assert TrackPart("gate", 1, 1.0, 3.0).until(5.0) == TrackPart("gate", 1, 1.0, 3.0)
