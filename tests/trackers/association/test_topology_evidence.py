"""Who was seen again where: by looks alone, of all whom any camera saw of late."""

import itertools

import pytest

from builders_trackers import make_calibration, make_tracklet
from trackers.association.appearance import Population
from trackers.association.topology_evidence import KEPT_S, WINDOW_S, Link, Links

POPULATION = Population(make_calibration(10.0, 0.5))


def seen(camera_id, start, end, degrees=0.0, track_id=1):
    return make_tracklet(start, end, camera_id=camera_id, track_id=track_id, exemplars=[degrees])


def links_of(*tracklets, at=None, kept_s=KEPT_S):
    """The links of the last, the others were there before."""
    *before, last = tracklets
    links = Links(kept_s)
    links.add(before, last.end)
    return links.of([last], last.end if at is None else at, POPULATION)


def test_nobody_is_seen_again_when_nobody_was_seen():
    assert Links().of([], 0.0, POPULATION) == []
    assert links_of(seen("a", 0, 5)) == []


def test_who_appearance_the_same_was_seen_again():
    assert links_of(seen("a", 0, 5), seen("b", 9, 12)) == [Link("a", "b", 4.0)]


def test_who_appearance_different_was_not():
    assert links_of(seen("a", 0, 5), seen("b", 9, 12, degrees=90)) == []


@pytest.mark.parametrize(("degrees", "found"), [(27.1, 1), (27.2, 0)])
def test_who_is_surely_the_same_was_seen_again(degrees, found):
    """Log-odds of 3.9 are at 27.13 degrees."""
    assert len(links_of(seen("a", 0, 5), seen("b", 9, 12, degrees=degrees))) == found


@pytest.mark.parametrize(("degrees", "camera_id"), [(46.3, "b"), (46.4, "a")])
def test_beside_them_who_is_likely_the_same(degrees, camera_id):
    """Log-odds of 1.9 are at 46.37 degrees."""
    before = seen("a", 0, 5), seen("b", 9, 12, degrees=degrees)
    assert links_of(*before, seen("c", 20, 22)) == [
        Link(camera_id, "c", pytest.approx(8 if camera_id == "b" else 15))
    ]


def test_both_cameras_may_see_somebody_at_one_time():
    assert links_of(seen("a", 0, 5), seen("b", 3, 12)) == [Link("a", "b", -2.0)]


def test_two_in_one_camera_at_one_time_are_two():
    assert links_of(seen("a", 0, 5), seen("a", 5, 9, track_id=2)) == []
    assert links_of(seen("a", 0, 5), seen("a", 5.1, 9, track_id=2)) != []


@pytest.mark.parametrize(("over", "found"), [(0.0, 1), (0.1, 0)])
def test_nobody_is_looked_for_longer_than_the_window(over, found):
    start = 5 + WINDOW_S + over
    assert len(links_of(seen("a", 0, 5), seen("b", start, start + 1))) == found


@pytest.mark.parametrize(("at", "found"), [(25.0, 1), (25.1, 0)])
def test_what_is_no_longer_kept_is_out_of_the_question(at, found):
    assert len(links_of(seen("a", 0, 5), seen("b", 9, 12), at=at, kept_s=20.0)) == found


def test_only_the_last_before_is_linked():
    before = seen("a", 0, 5), seen("b", 9, 12)
    assert links_of(*before, seen("c", 20, 22)) == [Link("b", "c", 8.0)]


def test_who_stayed_long_is_linked_to_who_came_and_went_meanwhile():
    assert links_of(seen("b", 9, 12), seen("a", 0, 30)) == [Link("a", "b", -21.0)]


def test_the_order_in_which_they_came_changes_nothing():
    """All look the same, and there are more than are compared closely."""
    before = [seen("abc"[n % 3], 2 * n, 2 * n + 1.5, track_id=n) for n in range(12)]
    last = seen("d", 30, 31)
    expected = links_of(*before, last)
    assert expected
    for shift in range(len(before)):
        assert links_of(*before[shift:], *before[:shift], last) == expected
    for two in itertools.permutations(before[:3]):
        assert links_of(*two, *before[3:], last) == expected


def test_a_dropped_tracklet_is_not_found_again():
    links = Links()
    links.drop([("a", 1)])
    links.add([seen("a", 0, 5), seen("b", 0, 5)], 5.0)
    links.drop([("a", 1)])
    assert links.of([seen("c", 9, 12)], 12.0, POPULATION) == [Link("b", "c", 4.0)]
    links.drop([("b", 1), ("c", 1)])
    assert links.of([seen("d", 15, 16)], 16.0, POPULATION) == []


def test_there_is_room_for_many_one_after_the_other():
    links = Links(20.0)
    for n in range(200):
        found = links.of([seen("ab"[n % 2], 5 * n, 5 * n + 4)], 5 * n + 4.0, POPULATION)
        assert found == ([Link("ab"[n % 2 - 1], "ab"[n % 2], 1.0)] if n else [])
    assert len(links._embeddings) < 40
