import math
from dataclasses import replace

import numpy as np
import pytest

from builders_trackers import make_tracklet
from trackers.association.motion import Limits, exclusive, motion_evidence, overlap_in_time
from trackers.ground.sides import FOOT, LYING, MIDDLE, TOP
from trackers.tracklet import GROUND

LIMITS = Limits(max_speed=2.0, max_ground_distance=1.5)
# How far beyond top speed a place may be, because boxes jump.
JUMP_M = 1.5


def _evidence(a, b):
    return motion_evidence(a, b, LIMITS)


def _stay(x, start, end, camera_id="a", **more):
    """Somebody who stands at (x, 0) metres."""
    return make_tracklet(start, end, camera_id=camera_id, ground=[(x, 0.0)] * 6, **more)


class TestTime:
    def test_overlap_includes_the_exact_end(self):
        assert overlap_in_time(make_tracklet(0, 5), make_tracklet(5, 9))
        assert not overlap_in_time(make_tracklet(0, 5), make_tracklet(5.001, 9))

    @pytest.mark.parametrize("start", [2.0, 4.64])
    def test_nobody_is_twice_in_one_camera(self, start):
        first, second = make_tracklet(0, 5), make_tracklet(start, 9)
        assert _evidence(first, second) == -math.inf
        assert _evidence(second, first) == -math.inf

    def test_in_one_camera_one_after_the_other_is_possible(self):
        assert _evidence(make_tracklet(0, 5), make_tracklet(5.1, 9)) > 0

    def test_an_open_track_may_come_back(self):
        first = make_tracklet(0, 5, closed=False)
        assert _evidence(first, make_tracklet(6, 9)) == -math.inf
        assert _evidence(make_tracklet(6, 9), first) == -math.inf

    def test_an_open_track_does_not_reach_back_in_time(self):
        assert not exclusive(make_tracklet(0, 5), make_tracklet(6, 9, closed=False))

    def test_an_open_track_excludes_nothing_in_another_camera(self):
        first = make_tracklet(0, 5, closed=False)
        assert not exclusive(first, make_tracklet(3, 9, camera_id="b"))


class TestBorder:
    """Most people come in and leave at the border of the picture: there a track seldom breaks."""

    def _evidence_at(self, sides, start=5.5):
        return _evidence(make_tracklet(0, 5), self._with(make_tracklet(start, 9), sides))

    def _with(self, tracklet, sides):
        scores = np.full(len(tracklet.path), 0.9)
        return replace(tracklet, path=np.column_stack([tracklet.path[:, :4], scores, sides]))

    @pytest.mark.parametrize("side", [FOOT, TOP, MIDDLE, FOOT | LYING])
    def test_one_that_begins_there_is_less_evidence(self, side):
        sides = np.zeros(len(make_tracklet(5.5, 9).path))
        inside = self._evidence_at(sides)
        assert inside == _evidence(make_tracklet(0, 5), make_tracklet(5.5, 9))
        sides[0] = side
        assert inside - math.log(16) - 0.1 < self._evidence_at(sides) < inside - 1

    def test_one_that_ends_there_is_as_little(self):
        first, second = make_tracklet(0, 5), make_tracklet(5.5, 9)
        sides = np.zeros(len(first.path))
        assert _evidence(self._with(first, sides), second) == _evidence(first, second)
        sides[-1] = MIDDLE
        begins = np.zeros(len(second.path))
        begins[0] = MIDDLE
        ended = _evidence(self._with(first, sides), second)
        assert ended == self._evidence_at(begins)
        # Both are no more than one: who leaves there comes in there.
        assert _evidence(self._with(first, sides), self._with(second, begins)) == ended

    def test_only_where_it_begins_counts(self):
        sides = np.full(len(make_tracklet(5.5, 9).path), float(MIDDLE))
        sides[0] = LYING
        assert self._evidence_at(sides) == self._evidence_at(np.zeros(len(sides)))


class TestHandover:
    """A track ends on the box of somebody else, while its person goes on as a new one."""

    @pytest.mark.parametrize("start", [4.65, 5.0])
    def test_a_new_track_may_go_on_as_one_that_is_ending(self, start):
        first, second = make_tracklet(0, 5), make_tracklet(start, 9)
        assert -3 < _evidence(first, second) == _evidence(second, first)
        assert _evidence(first, second) < _evidence(first, make_tracklet(5.1, 9))

    def test_the_place_before_the_new_one_began_counts(self):
        moved_away = make_tracklet(
            0, 5, feet=[(300, 400)] * 3 + [(2300, 400)], times=[0, 2, 4.6, 5]
        )
        near, far = make_tracklet(4.9, 9), make_tracklet(4.9, 9, feet=[(2300, 400)])
        assert _evidence(moved_away, near) > _evidence(moved_away, far)

    def test_one_that_begins_and_ends_beside_another_is_somebody_else(self):
        assert _evidence(make_tracklet(0, 5), make_tracklet(4.8, 4.9)) == -math.inf

    def test_one_that_begins_at_the_same_moment_is_somebody_else(self):
        assert _evidence(make_tracklet(0, 0.2), make_tracklet(0, 9)) == -math.inf

    def test_an_open_track_is_not_ending(self):
        assert exclusive(make_tracklet(0, 5, closed=False), make_tracklet(4.9, 9))

    def test_walks_on_the_ground_do_not_end_on_others(self):
        first, second = (_stay(0, *span, camera_id=GROUND) for span in ((0, 5), (4.9, 9)))
        assert _evidence(first, second) == -math.inf


class TestWithoutCalibration:
    @pytest.mark.parametrize("start", [2.0, 8.0], ids=["together", "apart"])
    def test_different_cameras_say_nothing(self, start):
        assert _evidence(make_tracklet(0, 5), make_tracklet(start, 9, camera_id="b")) == 0.0

    @pytest.mark.parametrize("start", [2.0, 8.0], ids=["together", "apart"])
    def test_one_calibrated_camera_of_two_says_nothing(self, start):
        assert _evidence(_stay(0, 0, 5), make_tracklet(start, 9, camera_id="b")) == 0.0

    def test_pixels_become_metres_by_the_height_of_the_boxes(self):
        first = make_tracklet(0, 5, feet=[(300, 400)], height=170)
        near = make_tracklet(6, 9, feet=[(310, 400)], height=170)  # 0.1 m away
        far = make_tracklet(6, 9, feet=[(600, 400)], height=170)  # 3 m away
        assert _evidence(first, near) > 0 > _evidence(first, far)
        close_up = make_tracklet(0, 5, feet=[(300, 400)], height=1700)
        assert _evidence(close_up, far) > _evidence(first, far)

    def test_far_away_in_the_picture_is_unlikely_but_not_impossible(self):
        far = make_tracklet(5.1, 9, feet=[(6000, 400)])
        assert -8 < _evidence(make_tracklet(0, 5), far) < -2

    def test_memory_fades_with_the_gap(self):
        gaps = (0.5, 1, 2, 4)
        first, away = make_tracklet(0, 5), make_tracklet(0, 5, feet=[(2300, 400)])
        there = [_evidence(first, make_tracklet(5 + gap, 500)) for gap in gaps]
        elsewhere = [_evidence(away, make_tracklet(5 + gap, 500)) for gap in gaps]
        assert there == sorted(there, reverse=True)
        assert elsewhere == sorted(elsewhere)
        for tracklet in (first, away):
            assert _evidence(tracklet, make_tracklet(5 + 40, 500)) == pytest.approx(0, abs=0.05)

    def test_who_was_lost_is_soon_found_nearby(self):
        """Some seconds later somebody elsewhere in the picture is hardly the one who left."""
        first, away = make_tracklet(0, 5), make_tracklet(9, 15, feet=[(2300, 400)])
        assert -4 < _evidence(first, away) < -2

    def test_after_a_minute_nothing_is_remembered(self):
        assert _evidence(make_tracklet(0, 5), make_tracklet(65.0, 70)) == pytest.approx(0, abs=0.01)
        assert _evidence(make_tracklet(0, 5), make_tracklet(65.1, 70)) == 0.0


class TestTogetherOnTheGround:
    def test_one_place_is_evidence(self):
        assert _evidence(_stay(0, 0, 5), _stay(0.1, 0, 5, "b")) > 3

    def test_exactly_the_largest_distance_is_still_possible(self):
        assert -4 < _evidence(_stay(0, 0, 5), _stay(1.5, 0, 5, "b")) < 0
        assert _evidence(_stay(0, 0, 5), _stay(1.5001, 0, 5, "b")) == -math.inf

    def test_the_middle_distance_counts_not_the_worst(self):
        jumpy = [(0.0, 0.0)] * 5 + [(50.0, 0.0)]
        b = make_tracklet(0, 5, camera_id="b", ground=jumpy)
        assert _evidence(_stay(0, 0, 5), b) > 3

    def test_places_between_two_observations_are_interpolated(self):
        walk = make_tracklet(0, 1, ground=[(0, 0), (0.5, 0), (1, 0)])
        other = make_tracklet(0, 1, camera_id="b", ground=[(0, 0), (1, 0)], times=[0, 1])
        assert _evidence(walk, other) == pytest.approx(
            _evidence(_stay(0, 0, 1), _stay(0, 0, 1, "b"))
        )

    def test_only_what_was_seen_at_one_time_is_compared(self):
        # The other one was seen at 0 and at 100, far away: in between nobody knows.
        sparse = make_tracklet(0, 100, camera_id="b", ground=[(0, 0), (50, 0)])
        assert _evidence(_stay(0, 40, 60), sparse) == 0.0

    def test_a_touch_in_time_says_where_both_were(self):
        assert _evidence(_stay(0, 0, 5), _stay(0, 5, 9, "b")) > 3
        assert _evidence(_stay(0, 0, 5), _stay(9, 5, 9, "b")) == -math.inf

    def test_unknown_places_are_left_out(self):
        nowhere = (math.nan, math.nan)
        b = make_tracklet(0, 5, camera_id="b", ground=[nowhere, (0, 0), (0, 0), (0, 0), nowhere])
        assert _evidence(_stay(0, 0, 5), b) > 3

    def test_no_known_place_at_all_says_nothing(self):
        b = make_tracklet(0, 5, camera_id="b", ground=[(math.nan, math.nan)] * 3)
        assert _evidence(_stay(0, 0, 5), b) == 0.0
        assert _evidence(b, _stay(0, 0, 5)) == 0.0


class TestApartOnTheGround:
    @pytest.mark.parametrize("camera_id", ["a", "b"])
    def test_too_fast(self, camera_id):
        first = _stay(0, 0, 5)
        furthest = LIMITS.max_speed * 3.0 + JUMP_M
        assert _evidence(first, _stay(furthest, 8, 9, camera_id)) > -math.inf
        assert _evidence(first, _stay(furthest + 0.001, 8, 9, camera_id)) == -math.inf

    def test_too_fast_after_more_than_a_minute(self):
        furthest = LIMITS.max_speed * 95.0 + JUMP_M
        assert _evidence(_stay(0, 0, 5), _stay(furthest, 100, 101, "b")) == 0.0
        assert _evidence(_stay(0, 0, 5), _stay(furthest + 0.001, 100, 101, "b")) == -math.inf

    def test_walking_on_is_more_likely_than_turning_back(self):
        walk = make_tracklet(0, 2, ground=[(x, 0) for x in np.linspace(0, 2, 11)])
        ahead, behind = _stay(3.0, 3, 4, "b"), _stay(1.0, 3, 4, "b")
        assert _evidence(walk, ahead) > _evidence(walk, behind)

    def test_a_jump_of_the_box_is_no_speed(self):
        # 50 m in 0.1 s: the next place after that is not 500 m further on.
        jump = make_tracklet(0, 0.1, ground=[(0, 0), (50, 0)])
        assert _evidence(jump, _stay(550, 1.1, 2, "b")) == -math.inf
        assert _evidence(jump, _stay(50, 1.1, 2, "b")) > 0

    def test_the_gap_counts_from_the_last_known_place(self):
        # Beyond the horizon for 20 s: time enough for 30 m.
        nowhere = (math.nan, math.nan)
        first = make_tracklet(0, 20, ground=[(0, 0), nowhere, nowhere])
        assert _evidence(first, _stay(30, 21, 22)) > -math.inf

    def test_no_known_place_says_nothing(self):
        nowhere = make_tracklet(0, 5, ground=[(math.nan, math.nan)] * 3)
        assert _evidence(nowhere, _stay(900, 6, 7)) == 0.0
        assert _evidence(_stay(900, -7, -6), nowhere) == 0.0


class TestShortPaths:
    def test_one_point(self):
        first = make_tracklet(0, 0, feet=[(300, 400)])
        assert _evidence(first, make_tracklet(1, 1, feet=[(300, 400)])) > 0
        assert _evidence(_stay(0, 0, 5), make_tracklet(2, 2, camera_id="b", ground=[(0, 0)])) > 3
        assert _evidence(make_tracklet(2, 2, camera_id="b", ground=[(0, 0)]), _stay(0, 0, 5)) > 3

    @pytest.mark.parametrize("ground", [None, ()])
    def test_no_point(self, ground):
        empty = make_tracklet(0, 1, feet=(), ground=ground)
        assert _evidence(empty, make_tracklet(2, 3, feet=(), ground=ground)) == 0.0
        assert _evidence(empty, make_tracklet(0, 3, camera_id="b", feet=(), ground=ground)) == 0.0
