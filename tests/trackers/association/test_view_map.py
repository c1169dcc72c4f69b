"""Maps between the pictures of two cameras that see one place."""

import numpy as np
import pytest

from builders_trackers import GROUND_TO_PICTURE, both_see, make_tracklet, seen_by, walks
from trackers.association.view_map import ViewMap, at_once, fit_map, tells_place
from trackers.tracklet import Tracklet


def test_a_map_tells_who_is_who() -> None:
    seen = both_see()
    found = fit_map(seen["a"], seen["b"])
    assert found is not None
    # It holds for people whom it was not fitted to.
    others = both_see(people=3, seed=1)
    for a in others["a"]:
        evidence = [found.evidence(a, b) for b in others["b"]]
        assert int(np.argmax(evidence)) == a.track_id
        assert max(evidence) > 3 > 0 > sorted(evidence)[-2]


def test_a_map_is_that_of_the_ground() -> None:
    seen = both_see()
    found = fit_map(seen["a"], seen["b"])
    assert found is not None
    true = GROUND_TO_PICTURE["b"] @ np.linalg.inv(GROUND_TO_PICTURE["a"])
    point = np.array([520.0, 380.0, 1.0])
    (x, y, w), (true_x, true_y, true_w) = found.matrix @ point, true @ point
    assert (x / w, y / w) == pytest.approx((true_x / true_w, true_y / true_w), abs=2.0)


@pytest.mark.parametrize("shift_s", [7.0, -11.0])
def test_the_same_people_at_other_times_give_no_map(shift_s: float) -> None:
    seen = both_see(shift_s=shift_s)
    assert fit_map(seen["a"], seen["b"]) is None


def test_other_people_give_no_map() -> None:
    assert fit_map(both_see(seed=2)["a"], both_see(seed=3)["b"]) is None


def test_people_who_stand_still_give_no_map() -> None:
    places = [np.tile([2.0 + n, 3.0], (120, 1)) for n in range(4)]
    a = [seen_by("a", n, place) for n, place in enumerate(places)]
    b = [seen_by("b", n, place) for n, place in enumerate(places)]
    assert fit_map(a, b) is None


def test_two_people_are_too_few_and_three_are_enough() -> None:
    seen = both_see(people=3)
    assert fit_map(seen["a"][:2], seen["b"][:2]) is None
    assert fit_map(seen["a"], seen["b"]) is not None


def test_without_tracks_there_is_no_map() -> None:
    seen = both_see()
    assert fit_map([], seen["b"]) is None
    assert fit_map(seen["a"], []) is None
    assert fit_map([], []) is None


def test_a_map_says_nothing_of_other_times_and_places() -> None:
    found = ViewMap(np.eye(3), np.array([0.0, 0, 500, 500]), np.array([0.0, 0, 500, 500]))
    a = make_tracklet(0, 5, feet=[(100.0 + n, 400.0) for n in range(20)])
    later = make_tracklet(6, 9, camera_id="b", feet=[(100.0 + n, 400.0) for n in range(20)])
    outside = make_tracklet(0, 5, feet=[(600.0 + n, 400.0) for n in range(20)])
    beside = make_tracklet(0, 5, camera_id="b", feet=[(600.0 + n, 400.0) for n in range(20)])
    assert found.evidence(a, later) == 0
    assert found.evidence(outside, beside) == 0
    # One of the two is where the map holds.
    assert found.evidence(a, beside) < 0
    assert found.evidence(a, a) > 3


def test_three_moments_are_enough_for_a_known_map() -> None:
    found = ViewMap(np.eye(3), np.array([0.0, 0, 500, 500]), np.array([0.0, 0, 500, 500]))

    def track(moments: int) -> Tracklet:
        times = np.arange(moments) / 4
        feet = [(100.0 + n, 400.0) for n in range(moments)]
        return make_tracklet(0, times[-1], feet=feet, times=times.tolist())

    assert found.evidence(track(2), track(2)) == 0
    assert found.evidence(track(3), track(3)) > 3


def test_places_at_once_are_those_of_common_moments() -> None:
    a = make_tracklet(0, 10, feet=[(float(n), 0.0) for n in range(11)])
    b = make_tracklet(4, 14, camera_id="b", feet=[(float(n), 1.0) for n in range(4, 15)])
    places = at_once(a, b)
    assert places is not None
    assert places[0][:, 0].tolist() == places[1][:, 0].tolist() == [4, 5, 6, 7, 8, 9, 10]
    # With the clock of ``a`` five seconds ahead.
    shifted = at_once(a, b, 5.0)
    assert shifted is not None
    assert (shifted[1][:, 0] - shifted[0][:, 0]).tolist() == [5.0] * 10
    assert at_once(a, make_tracklet(11, 12, camera_id="b")) is None


def test_a_gap_in_a_path_is_no_place() -> None:
    a = make_tracklet(0, 10, feet=[(float(n), 0.0) for n in range(11)])
    b = make_tracklet(0, 10, camera_id="b", feet=[(0.0, 0.0), (10.0, 0.0)])
    places = at_once(a, b)
    assert places is not None
    assert places[0][:, 0].tolist() == [0, 10]


def test_a_short_track_tells_nothing() -> None:
    (walk,) = walks(1, 0)
    assert tells_place(seen_by("a", 1, walk)) > 0
    assert tells_place(seen_by("a", 1, walk[:16])) == 0  # 3.75 seconds
    assert tells_place(seen_by("a", 1, walk[:17])) > 0  # four seconds
