"""When tracks meet and come apart, and as whom."""

import numpy as np
import pytest

from builders_trackers import unit_vector
from trackers.detections import Detections
from trackers.single_camera.continuity import Meetings, Parting, SamePerson, are_exchanged, is_taken

SAME = SamePerson(midpoint=0.5, common=0.0)


def seen(**lefts):
    """A box of 40 x 100 for each track t1, t2, ..., from this left edge."""
    left = np.array(list(lefts.values()), np.float32)
    top = np.zeros_like(left)
    return Detections(
        boxes=np.column_stack([left, top, left + 40, top + 100]),
        scores=np.full(len(left), 0.9, np.float32),
        track_ids=np.array([int(name[1:]) for name in lefts], np.int64),
    )


def partings(*frames, fit=None):
    """Of frames that are a tenth of a second apart."""
    meetings = Meetings()
    found = []
    for number, frame in enumerate(frames):
        good = np.array([fit is None or number >= fit] * len(frame), bool)
        found += [(number, p) for p in meetings.update(frame, good.__getitem__, number / 10)]
    return found


def test_nobody_meets():
    assert partings(seen(), seen(t1=0), seen(t1=0, t2=31), seen(t1=0, t2=100)) == []


def test_two_come_apart():
    """They share a quarter or more in frames 1 to 3, most in frame 2; in frame 4 a tenth."""
    frames = [seen(t1=0, t2=x) for x in (100, 30, 10, 30, 35, 36)]
    assert partings(*frames) == [(5, Parting(1, 2, 0.2, lost=False))]


def test_a_crop_that_is_not_fit_is_waited_for():
    frames = [seen(t1=0, t2=x) for x in (100, 10, 60, 60, 60)]
    assert partings(*frames, fit=4) == [(4, Parting(1, 2, 0.1, lost=False))]


def test_a_third_who_is_near_is_waited_for():
    frames = [seen(t1=0, t2=10), seen(t1=0, t2=60, t3=70), seen(t1=0, t2=60, t3=200)]
    found = partings(*frames)
    assert found[0] == (2, Parting(1, 2, 0.0, lost=False))
    assert found[1:] == [(2, Parting(2, 3, 0.1, lost=False))]


def test_tracks_that_are_together_until_they_have_come_apart():
    meetings = Meetings()
    together = []
    for frame in (seen(t1=0, t2=31), seen(t1=0, t2=30), seen(t1=0, t2=35), seen(t1=0, t2=36)):
        meetings.update(frame, lambda row: True, 1.0)
        together.append(meetings.tracks())
    assert together == [set(), {1, 2}, {1, 2}, set()]


def test_one_is_lost():
    frames = [seen(t1=0, t2=10), *[seen(t2=10)] * 7]
    assert partings(*frames) == [(6, Parting(2, 1, 0.0, lost=True))]


def test_who_are_both_lost_are_forgotten():
    assert partings(seen(t1=0, t2=10), *[seen()] * 7, seen(t1=0, t2=60)) == []


def test_exchanged_is_who_looks_like_the_other():
    a, b = (np.array(unit_vector(degrees), np.float32) for degrees in (0, 90))
    assert are_exchanged((a, b), (b, a), SAME)
    assert not are_exchanged((a, b), (a, b), SAME)
    assert not are_exchanged((a, b), (a + b, a + b), SAME)
    # Who look alike are not told apart.
    assert not are_exchanged((a, a), (b, a), SAME)


@pytest.mark.parametrize(("degrees", "taken"), [(0, False), (44, False), (60, True), (90, True)])
def test_taken_is_who_looks_like_the_lost_one(degrees, taken):
    own, lost, after = (np.array(unit_vector(d), np.float32) for d in (0, 90, degrees))
    assert is_taken(own, lost, after, SAME) is taken


def test_who_looks_like_neither_is_not_taken():
    own, lost, after = (np.array(unit_vector(d), np.float32) for d in (0, 90, 180))
    assert not is_taken(own, lost, after, SAME)
