import numpy as np
import pytest

from trackers.detections import Detections, no_detections
from trackers.single_camera.track_log import Exemplar, TrackLog

# Ground metres to pixels: 100 pixels a metre.
HUNDRED_A_METRE = np.diag([100.0, 100.0, 1.0])


def _log(**options):
    return TrackLog("gate", **{"close_after_s": 2.0, "exemplars": 3, **options})


def _seen(*tracker_ids, x=0.0):
    """One box of 40 x 100 for each id, 50 apart; the feet of the first are at (x + 20, 200)."""
    lefts = x + 50.0 * np.arange(len(tracker_ids))
    boxes = np.column_stack([lefts, np.full_like(lefts, 100), lefts + 40, np.full_like(lefts, 200)])
    return Detections(
        boxes=boxes.astype(np.float32),
        scores=np.full(len(tracker_ids), 0.9, np.float32),
        track_ids=np.array(tracker_ids, np.int64),
    )


def _exemplar(timestamp, quality):
    return Exemplar(timestamp, quality, np.array([timestamp, quality], np.float32))


def _follow(log, times):
    """One track seen at these times; returns it closed."""
    for time in times:
        (track_id,) = log.add(_seen(1), time).track_ids
    return log.close(int(track_id))


class TestIds:
    def test_count_from_one_whatever_the_tracker_says(self):
        log = _log()
        assert log.add(_seen(41, 7), 0.0).track_ids.tolist() == [1, 2]
        assert log.add(_seen(7, 99, 41), 0.1).track_ids.tolist() == [2, 3, 1]

    def test_the_other_columns_stay(self):
        tracked = _seen(41, 7)
        named = _log().add(tracked, 0.0)
        assert named.boxes is tracked.boxes
        assert named.scores is tracked.scores
        assert named.track_ids.dtype == np.int64

    def test_a_frame_without_people(self):
        log = _log()
        assert log.add(no_detections(), 0.0).track_ids.tolist() == []
        assert log.open_ids() == []
        assert log.snapshot() == []

    def test_one_that_comes_back_after_it_was_closed_is_new(self):
        log = _log()
        log.add(_seen(41), 0.0)
        log.close(1)
        assert log.add(_seen(41), 0.1).track_ids.tolist() == [2]
        assert not log.is_open(1)
        assert log.is_open(2)

    def test_one_that_comes_back_when_it_was_overdue_is_new_even_before_it_is_closed(self):
        log = _log()
        log.add(_seen(41), 0.0)
        log.add(no_detections(), 2.1)
        assert log.overdue(2.1) == [1]
        assert log.add(_seen(41), 2.2).track_ids.tolist() == [2]
        assert log.overdue(2.2) == [1]
        assert log.close(1).end == 0.0
        assert log.add(_seen(41), 2.3).track_ids.tolist() == [2]

    def test_a_slow_camera_does_not_break_its_tracks(self):
        # Seen on every frame, though frames are further apart than the time to close.
        log = _log()
        ids = [log.add(_seen(41), time).track_ids.tolist() for time in (0.0, 5.0, 10.0)]
        assert ids == [[1], [1], [1]]


class TestClosing:
    def test_overdue_after_the_exact_time(self):
        log = _log()
        log.add(_seen(1), 0.0)
        log.add(_seen(2), 1.0)
        assert log.overdue(2.0) == []
        assert log.overdue(2.001) == [1]
        assert log.overdue(99.0) == [1, 2]

    def test_the_closed_tracklet(self):
        log = _log()
        for step in range(3):
            log.add(_seen(9, x=10.0 * step), 1.0 + step)
        tracklet = log.close(1)
        assert (tracklet.camera_id, tracklet.track_id) == ("gate", 1)
        assert (tracklet.start, tracklet.end, tracklet.count) == (1.0, 3.0, 3)
        assert tracklet.closed
        assert tracklet.path[:, :4].tolist() == [
            [1, 20, 200, 100],
            [2, 30, 200, 100],
            [3, 40, 200, 100],
        ]
        np.testing.assert_allclose(tracklet.path[:, 4], 0.9)
        assert log.open_ids() == []

    def test_seen_once(self):
        tracklet = _follow(_log(), [4.0])
        assert (tracklet.start, tracklet.end, tracklet.count) == (4.0, 4.0, 1)
        assert len(tracklet.path) == 1

    def test_without_exemplars(self):
        tracklet = _follow(_log(), [0.0])
        assert tracklet.exemplars.shape == (0, 0)
        assert tracklet.exemplars.dtype == np.float32
        assert (len(tracklet.qualities), len(tracklet.exemplar_times)) == (0, 0)


class TestSnapshots:
    def test_only_of_what_has_changed(self):
        log = _log()
        log.add(_seen(1, 2), 0.0)
        assert [t.track_id for t in log.snapshot()] == [1, 2]
        assert log.snapshot() == []
        log.add(_seen(2), 0.1)
        (tracklet,) = log.snapshot()
        assert (tracklet.track_id, tracklet.end, tracklet.closed) == (2, 0.1, False)

    def test_an_exemplar_is_a_change(self):
        log = _log()
        log.add(_seen(1), 0.0)
        log.snapshot()
        log.add_exemplar(1, _exemplar(0.0, 0.5))
        assert [len(t.exemplars) for t in log.snapshot()] == [1]

    def test_revisions_count(self):
        log = _log()
        revisions = []
        for time in (0.0, 0.1, 0.2):
            log.add(_seen(1), time)
            revisions += [t.revision for t in log.snapshot()]
        assert [*revisions, log.close(1).revision] == [1, 2, 3, 4]

    def test_a_snapshot_stays_as_it_was(self):
        log = _log()
        log.add(_seen(1), 0.0)
        (before,) = log.snapshot()
        log.add(_seen(1), 1.0)
        assert len(before.path) == 1


class TestPath:
    def test_a_step_every_fifth_of_a_second(self):
        times = [round(0.1 * i, 1) for i in range(11)]
        tracklet = _follow(_log(), times)
        np.testing.assert_allclose(tracklet.path[:, 0], [0, 0.2, 0.4, 0.6, 0.8, 1.0])
        assert tracklet.count == 11

    def test_steps_do_not_depend_on_rounding(self):
        # Five frames a second, far from zero, where timestamps are coarse.
        times = [1.7e9 + i / 5 for i in range(200)]
        assert len(_follow(_log(), times).path) == 200

    def test_the_last_place_is_always_there(self):
        tracklet = _follow(_log(), [0.0, 0.1, 0.25])
        assert tracklet.path[:, 0].tolist() == [0.0, 0.25]
        tracklet = _follow(_log(), [0.0, 0.2, 0.3])
        assert tracklet.path[:, 0].tolist() == [0.0, 0.2, 0.3]

    def test_a_long_stay_is_thinned_out_and_keeps_its_start_and_its_last_moments(self):
        times = np.arange(5000) * 0.25
        path = _follow(_log(), times.tolist()).path
        assert 200 < len(path) <= 513
        assert path[0, 0] == 0.0
        np.testing.assert_array_equal(path[-100:, 0], times[-100:])
        assert (np.diff(path[:, 0]) > 0).all()

    def test_exactly_as_long_as_allowed_is_not_thinned(self):
        assert len(_follow(_log(), (np.arange(512) * 0.25).tolist()).path) == 512
        assert len(_follow(_log(), (np.arange(513) * 0.25).tolist()).path) < 300


class TestExemplars:
    def test_the_best_are_kept_in_order_of_time(self):
        log = _log(exemplars=3)
        log.add(_seen(1), 0.0)
        for time, quality in [(1, 0.5), (2, 0.6), (3, 0.1), (4, 0.9), (5, 0.8)]:
            log.add_exemplar(1, _exemplar(time, quality))
        tracklet = log.close(1)
        assert tracklet.exemplar_times.tolist() == [2, 4, 5]
        np.testing.assert_allclose(tracklet.qualities, [0.6, 0.9, 0.8])
        np.testing.assert_allclose(tracklet.exemplars, [[2, 0.6], [4, 0.9], [5, 0.8]])
        assert tracklet.exemplars.dtype == np.float32

    def test_of_equally_good_ones_the_first(self):
        log = _log(exemplars=1)
        log.add(_seen(1), 0.0)
        for time in (2, 1, 3):
            log.add_exemplar(1, _exemplar(time, 0.5))
        assert log.close(1).exemplar_times.tolist() == [1]


class TestGround:
    def test_none_without_calibration(self):
        log = _log()
        log.add(_seen(1), 0.0)
        assert log.ground(_seen(1).boxes) is None
        assert log.close(1).ground is None

    def test_metres_under_the_feet(self):
        log = _log(homography=HUNDRED_A_METRE)
        log.add(_seen(1), 0.0)
        np.testing.assert_allclose(log.ground(_seen(1, 2).boxes), [[0.2, 2.0], [0.7, 2.0]])
        assert log.close(1).ground == pytest.approx(np.array([[0.2, 2.0]]))

    def test_nobody(self):
        boxes = no_detections().boxes
        assert _log(homography=HUNDRED_A_METRE).ground(boxes).shape == (0, 2)

    def test_a_row_for_every_row_of_the_path(self):
        log = _log(homography=HUNDRED_A_METRE)
        for step in range(4):
            log.add(_seen(1, x=100.0 * step), 0.3 * step)
        tracklet = log.close(1)
        np.testing.assert_allclose(tracklet.ground, tracklet.path[:, 1:3] / 100)


def _two(log, times):
    """Two tracks seen at these times, with a crop of each at the time."""
    for time in times:
        for track_id in log.add(_seen(41, 42), time).track_ids.tolist():
            look = np.eye(2, dtype=np.float32)[track_id - 1]
            log.add_exemplar(track_id, Exemplar(time, 1.0, look))


class TestExchange:
    def test_two_go_on_as_each_other(self):
        log = _log()
        _two(log, (0.0, 1.0, 2.0))
        assert log.exchange(1, 2, 1.0)
        assert log.add(_seen(41, 42), 3.0).track_ids.tolist() == [2, 1]
        first, second = log.close(1), log.close(2)
        assert first.path[:, 1].tolist() == [20, 70, 70, 70]
        assert second.path[:, 1].tolist() == [70, 20, 20, 20]
        assert first.exemplars.tolist() == [[1, 0], [0, 1], [0, 1]]
        assert (first.count, second.count) == (4, 4)
        assert (first.end, second.end) == (3.0, 3.0)

    def test_one_is_lost(self):
        """The second was seen up to 0 s; the first goes on as it."""
        log = _log()
        _two(log, (0.0,))
        log.add(_seen(41), 1.0)
        assert log.exchange(1, 2, 0.5)
        assert log.add(_seen(41), 1.5).track_ids.tolist() == [2]
        first, second = log.close(1), log.close(2)
        assert (first.end, second.end) == (0.0, 1.5)
        assert second.path[:, 1].tolist() == [70, 20, 20]

    def test_who_began_since_cannot(self):
        log = _log()
        log.add(_seen(41), 0.0)
        log.add(_seen(41, 42), 1.0)
        assert not log.exchange(1, 2, 1.0)
        assert log.add(_seen(41, 42), 2.0).track_ids.tolist() == [1, 2]

    def test_what_was_seen_before_stays(self):
        log = _log()
        _two(log, (0.0, 1.0))
        log.exchange(1, 2, 1.0)
        assert [log.track_at(41, time) for time in (-1.0, 0.9, 1.0)] == [None, 1, 2]
        assert log.track_at(43, 1.0) is None
        assert (log.tracker_ids(1), log.tracker_ids(2)) == ([42], [41])

    def test_looks_before_a_moment(self):
        log = _log()
        _two(log, (0.0, 1.0))
        assert log.embedding_before(1, 0.0) is None
        assert log.embedding_before(1, 1.0).tolist() == [1, 0]
