import numpy as np
import pytest

from builders_trackers import make_calibration, make_tracklet, unit_vector
from trackers.association.appearance import Population
from trackers.association.identity import Identity
from trackers.association.motion import Limits, motion_evidence

POPULATION = Population(make_calibration(1.0, 0.5))
LIMITS = Limits(max_speed=2.0, max_ground_distance=1.5)


def _identity(*members):
    identity = Identity(1)
    for member in members:
        identity.update(member)
    return identity


def _place(tracklet, *members):
    return _identity(*members).place_evidence(tracklet, LIMITS)


def test_nobody_seen_appearance_like_nothing():
    identity = _identity(make_tracklet(0, 1))
    assert identity.appearance(POPULATION) is None
    assert identity.direction(POPULATION) is None


def test_a_look_does_not_depend_on_the_order_of_arrival():
    a = make_tracklet(0, 1, camera_id="a", exemplars=[0, 10])
    b = make_tracklet(0, 1, camera_id="b", exemplars=[20])
    c = make_tracklet(0, 1, camera_id="c")
    forth, back = _identity(a, b, c), _identity(c, b, a)
    assert (
        forth.appearance(POPULATION).vector.tobytes()
        == back.appearance(POPULATION).vector.tobytes()
    )
    assert forth.direction(POPULATION).tobytes() == back.direction(POPULATION).tobytes()
    assert list(forth.members) == list(back.members) == [("a", 1), ("b", 1), ("c", 1)]


def test_every_visit_counts_the_same():
    long = make_tracklet(0, 1, camera_id="a", exemplars=[0] * 8)
    short = make_tracklet(0, 1, camera_id="b", exemplars=[90])
    assert _identity(long, short).appearance(POPULATION).vector == pytest.approx(
        unit_vector(45), abs=1e-6
    )


def test_a_look_follows_a_newer_revision_and_what_was_learnt():
    population = Population(make_calibration(1.0, 0.5))
    identity = _identity(make_tracklet(0, 1, exemplars=[0]))
    assert identity.appearance(population).vector == pytest.approx(unit_vector(0))
    identity.update(make_tracklet(0, 2, revision=2, exemplars=[0, 90]))
    assert identity.appearance(population).vector == pytest.approx(unit_vector(45))
    population.learn([np.array(unit_vector(degrees), np.float32) for degrees in (0, 10, 20)])
    assert identity.appearance(population).vector[1] > unit_vector(45)[1]


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
    def test_appearance_and_path_go_and_the_time_stays(self):
        old = make_tracklet(0, 5, track_id=2, exemplars=[0])
        identity = _identity(old, make_tracklet(90, 95, exemplars=[90]))
        identity.fade(50)
        assert identity.appearance(POPULATION).vector == pytest.approx(unit_vector(90), abs=1e-6)
        faded = identity.members[old.key]
        assert (faded.start, faded.end, len(faded.path), len(faded.exemplars)) == (0, 5, 0, 0)
        assert identity.place_evidence(make_tracklet(4, 8, track_id=3), LIMITS) == -np.inf
        assert identity.place_evidence(make_tracklet(6, 8, track_id=3), LIMITS) == pytest.approx(
            motion_evidence(make_tracklet(6, 8), make_tracklet(90, 95), LIMITS)
        )

    def test_the_exact_moment_stays(self):
        identity = _identity(make_tracklet(0, 5, exemplars=[0]))
        identity.fade(5)
        assert identity.appearance(POPULATION) is not None
        identity.fade(5.001)
        assert identity.appearance(POPULATION) is None

    def test_a_track_of_a_broken_camera_does_not_block_its_place_for_ever(self):
        identity = _identity(make_tracklet(0, 5, track_id=2, closed=False))
        later = make_tracklet(90, 95)
        assert identity.place_evidence(later, LIMITS) == -np.inf
        identity.fade(50)
        assert identity.place_evidence(later, LIMITS) == 0.0


def test_what_each_camera_saw():
    nobody = _identity(make_tracklet(0, 1))
    assert nobody.directions(POPULATION) == nobody.appearances(POPULATION) == {}
    a = make_tracklet(0, 1, camera_id="a", exemplars=[0])
    again = make_tracklet(2, 3, camera_id="a", track_id=2, exemplars=[20])
    b = make_tracklet(5, 6, camera_id="b", exemplars=[50])
    identity = _identity(b, again, a)
    assert identity.directions(POPULATION)["a"] == pytest.approx(unit_vector(10), abs=1e-6)
    assert identity.directions(POPULATION)["b"] == pytest.approx(unit_vector(50), abs=1e-6)
    assert identity.appearances(POPULATION)["a"].vector == pytest.approx(unit_vector(10), abs=1e-6)


@pytest.mark.parametrize("gap_s", [0.0, 0.5, 3.0, 20.0, 59.0, 61.0])
@pytest.mark.parametrize("x", [0.0, 30.0, 400.0])
def test_place_says_at_most_its_bound(gap_s, x):
    first, second = (
        make_tracklet(0, 4),
        make_tracklet(4 + gap_s, 8 + gap_s, track_id=2, feet=[(300 + x, 400)]),
    )
    identity = _identity(first)
    assert identity.place_evidence(second, LIMITS) <= identity.place_bound(second)
    elsewhere = make_tracklet(4 + gap_s, 8 + gap_s, camera_id="elsewhere")
    assert identity.place_evidence(elsewhere, LIMITS) == identity.place_bound(elsewhere) == 0
