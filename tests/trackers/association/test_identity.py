import numpy as np
import pytest

from builders_trackers import make_tracklet
from trackers.association.identity import Identity
from trackers.association.motion import Limits, motion_evidence

LIMITS = Limits(max_speed=2.0, max_ground_distance=1.5)


def _identity(*members):
    identity = Identity(1)
    for member in members:
        identity.see(member)
    return identity


def _place(tracklet, *members):
    return _identity(*members).place_evidence(tracklet, LIMITS)


def test_nobody_seen_looks_like_nothing():
    assert [g.shape for g in _identity(make_tracklet(0, 1)).galleries("a")] == [(0, 0), (0, 0)]


def test_the_gallery_does_not_depend_on_the_order_of_arrival():
    a = make_tracklet(0, 1, camera_id="a", looks=[0, 10])
    b = make_tracklet(0, 1, camera_id="b", looks=[20])
    c = make_tracklet(0, 1, camera_id="c")
    forth, back = _identity(a, b, c), _identity(c, b, a)
    for one, other in zip(forth.galleries("x"), back.galleries("x"), strict=True):
        np.testing.assert_array_equal(one, other)
    assert list(forth.members) == list(back.members) == [("a", 1), ("b", 1), ("c", 1)]


def test_the_gallery_keeps_the_best_32():
    poor = make_tracklet(0, 1, camera_id="a", looks=[90] * 30, qualities=[0.1] * 30)
    good = make_tracklet(0, 1, camera_id="b", looks=[0] * 30, qualities=[0.9] * 30)
    _, gallery = _identity(poor, good).galleries("x")
    assert len(gallery) == 32
    assert (gallery[:, 0] > 0.5).sum() == 30


def test_the_gallery_follows_a_newer_revision():
    identity = _identity(make_tracklet(0, 1, looks=[0]))
    assert len(identity.galleries("a")[0]) == 1
    identity.see(make_tracklet(0, 2, revision=2, looks=[0, 90]))
    assert len(identity.galleries("a")[0]) == 2


def test_what_this_camera_saw_and_what_the_others_saw_are_two_galleries():
    identity = _identity(
        make_tracklet(0, 1, camera_id="a", looks=[0]),
        make_tracklet(0, 1, camera_id="b", looks=[90, 90]),
    )
    assert [len(gallery) for gallery in identity.galleries("a")] == [1, 2]
    assert [len(gallery) for gallery in identity.galleries("b")] == [2, 1]
    assert [len(gallery) for gallery in identity.galleries("c")] == [0, 3]


def test_last_seen_is_the_latest_end():
    late, early = make_tracklet(0, 9, camera_id="a"), make_tracklet(0, 3, camera_id="b")
    assert _identity(late, early).last_seen == 9


class TestPlace:
    def test_one_member_that_excludes_is_enough(self):
        welcome, other = make_tracklet(0, 2, track_id=2), make_tracklet(4, 6, track_id=3)
        assert _place(make_tracklet(5, 8), welcome, other) == -np.inf

    def test_the_nearest_in_time_counts(self):
        near = make_tracklet(0, 5, track_id=2, feet=[(300, 400)])
        far = make_tracklet(-9, -1, track_id=3, feet=[(900, 400)])
        tracklet = make_tracklet(6, 8, feet=[(300, 400)])
        assert _place(tracklet, near, far) == motion_evidence(tracklet, near, LIMITS)

    def test_before_is_as_good_as_after(self):
        after = make_tracklet(9, 10, track_id=2)
        tracklet = make_tracklet(6, 8)
        assert _place(tracklet, after) == motion_evidence(tracklet, after, LIMITS) > 0

    def test_a_member_that_says_nothing_does_not_hide_one_that_does(self):
        telling = make_tracklet(0, 5, track_id=2)
        silent = make_tracklet(0, 5.5, camera_id="b")
        tracklet = make_tracklet(6, 8)
        assert _place(tracklet, telling, silent) == _place(tracklet, telling) > 0

    def test_views_at_one_time_are_averaged(self):
        tracklet = make_tracklet(0, 5, ground=[(0, 0)])
        here = make_tracklet(0, 5, camera_id="b", ground=[(0, 0)])
        there = make_tracklet(0, 5, camera_id="c", ground=[(1, 0)])
        silent = make_tracklet(0, 5, camera_id="d")
        expected = (_place(tracklet, here) + _place(tracklet, there)) / 2
        assert _place(tracklet, here, there, silent) == pytest.approx(expected)


class TestFade:
    def test_looks_and_path_go_and_the_time_stays(self):
        old = make_tracklet(0, 5, track_id=2, looks=[0])
        identity = _identity(old, make_tracklet(90, 95, looks=[90]))
        identity.fade(50)
        assert len(identity.galleries("a")[0]) == 1
        faded = identity.members[old.key]
        assert (faded.start, faded.end, len(faded.path), len(faded.exemplars)) == (0, 5, 0, 0)
        assert identity.place_evidence(make_tracklet(4, 8, track_id=3), LIMITS) == -np.inf
        assert identity.place_evidence(make_tracklet(6, 8, track_id=3), LIMITS) == pytest.approx(
            motion_evidence(make_tracklet(6, 8), make_tracklet(90, 95), LIMITS)
        )

    def test_the_exact_moment_stays(self):
        identity = _identity(make_tracklet(0, 5, looks=[0]))
        identity.fade(5)
        assert len(identity.galleries("a")[0]) == 1
        identity.fade(5.001)
        assert len(identity.galleries("a")[0]) == 0

    def test_a_track_of_a_broken_camera_does_not_block_its_place_for_ever(self):
        identity = _identity(make_tracklet(0, 5, track_id=2, closed=False))
        later = make_tracklet(90, 95)
        assert identity.place_evidence(later, LIMITS) == -np.inf
        identity.fade(50)
        assert identity.place_evidence(later, LIMITS) == 0.0
