import numpy as np
import pytest

from trackers.detections import Detections, no_detections
from trackers.single_camera.link import LinkTracker

LEFT, RIGHT = (100, 200), (400, 200)


def _seen(*places, looks=None, score=0.5):
    """People of 100 pixels' height whose feet are at these places."""
    boxes = [(x - 20, y - 100, x + 20, y) for x, y in places]
    embeddings = None if looks is None else np.array(looks, np.float32)
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(len(boxes), score, np.float32),
        embeddings=embeddings,
    )


def _ids(tracker, time, *places, **more):
    """The track id at each place."""
    tracked = tracker.update(_seen(*places, **more), None, time)
    feet = [(float(x1 + 20), float(y2)) for x1, _, _, y2 in tracked.boxes]
    ids = dict(zip(feet, tracked.track_ids.tolist(), strict=True))
    return [ids[place] for place in places]


def test_no_detections():
    tracked = LinkTracker(buffer_s=1).update(no_detections(), None, 0.0)
    assert len(tracked) == 0
    assert tracked.track_ids.dtype == np.int64


def test_tracks_start_in_the_first_frame():
    tracker = LinkTracker(buffer_s=1)
    assert _ids(tracker, 0.0, LEFT, RIGHT) == [1, 2]
    assert _ids(tracker, 0.5, RIGHT, LEFT) == [2, 1]


def test_low_scores_continue_tracks_but_do_not_start_them():
    tracker = LinkTracker(buffer_s=1)
    assert len(tracker.update(_seen(LEFT, score=0.499), None, 0.0)) == 0
    assert _ids(tracker, 0.5, LEFT, score=0.5) == [1]
    tracked = tracker.update(_seen(RIGHT, LEFT, score=0.1), None, 1.0)
    assert tracked.track_ids.tolist() == [1]
    assert tracked.boxes[0, 0] == LEFT[0] - 20


def test_rows_are_in_order_of_their_tracks_and_keep_their_columns():
    tracker = LinkTracker(buffer_s=1)
    _ids(tracker, 0.0, LEFT, RIGHT)
    tracked = tracker.update(_seen(RIGHT, LEFT, looks=[[0, 1], [1, 0]]), None, 0.5)
    assert tracked.track_ids.tolist() == [1, 2]
    assert tracked.embeddings.tolist() == [[1, 0], [0, 1]]


def test_the_exact_reach():
    # In half a second 0.75 heights.
    tracker = LinkTracker(buffer_s=1)
    _ids(tracker, 0.0, LEFT)
    assert _ids(tracker, 0.5, (175, 200)) == [1]
    tracker = LinkTracker(buffer_s=1)
    _ids(tracker, 0.0, LEFT)
    assert _ids(tracker, 0.5, (176, 200)) == [2]


def test_motion_is_predicted():
    tracker = LinkTracker(buffer_s=1)
    assert [_ids(tracker, n / 2, (100 + 70 * n, 200)) for n in range(5)] == [[1]] * 5
    assert _ids(tracker, 2.5, (100 + 70 * 5 + 60, 200)) == [1]


def test_where_two_could_be_meant_new_tracks_begin():
    tracker = LinkTracker(buffer_s=1)
    _ids(tracker, 0.0, (100, 200), (140, 200))
    assert _ids(tracker, 0.5, (120, 200)) == [3]


def test_looks_tell_two_apart():
    tracker = LinkTracker(buffer_s=1)
    _ids(tracker, 0.0, (100, 200), (140, 200), looks=[[1, 0], [0, 1]])
    assert _ids(tracker, 0.5, (120, 200), looks=[[0, 1]]) == [2]


def test_a_lost_person_comes_back_within_exactly_the_buffer():
    tracker = LinkTracker(buffer_s=1)
    _ids(tracker, 0.0, LEFT)
    assert _ids(tracker, 1.0, LEFT) == [1]
    assert _ids(tracker, 2.01, LEFT) == [2]


def test_time_goes_on():
    tracker = LinkTracker(buffer_s=1)
    _ids(tracker, 1.0, LEFT)
    with pytest.raises(ValueError, match=r"must increase, got 1\.0 after 1\.0"):
        _ids(tracker, 1.0, LEFT)
    with pytest.raises(ValueError, match="buffer_s must be more than 0 seconds, got 0"):
        LinkTracker(buffer_s=0)
