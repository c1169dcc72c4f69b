"""Whether a track still shows the person with whom it began."""

import numpy as np
import pytest

from builders_trackers import unit_vector
from trackers.single_camera.continuity import Continuity, SamePerson

SAME = SamePerson(midpoint=0.5, common=0.0)


def since(*degrees, same=SAME):
    """When somebody else was seen, of one crop a second."""
    continuity = Continuity()
    found = [
        continuity.add(float(n), np.array(unit_vector(d), np.float32), same)
        for n, d in enumerate(degrees)
    ]
    return [time for time in found if time is not None]


def test_one_person_stays_one():
    assert since() == since(0) == since(0, 10, 5, 0, 20) == []


def test_two_in_a_row_who_look_like_one_another_are_somebody_else():
    assert since(0, 0, 90, 90) == [2.0]
    assert since(0, 0, 0, 90, 90, 90, 90) == [3.0]


def test_one_strange_crop_is_a_strange_crop():
    assert since(0, 0, 90, 0, 90, 0) == []


def test_two_who_do_not_look_like_one_another_are_nobody():
    assert since(0, 0, 90, 180) == []


def test_of_one_crop_nobody_knows_whom_the_track_shows():
    assert since(0, 90, 90) == []


def test_they_may_change_back():
    assert since(0, 0, 90, 90, 0, 0) == [2.0, 4.0]


@pytest.mark.parametrize(("degrees", "changed"), [(59.9, False), (60.1, True)])
def test_exactly_the_midpoint(degrees, changed):
    assert bool(since(0, 0, degrees, degrees)) is changed


def test_what_people_have_in_common_does_not_count():
    # A cosine of 0.71 is 0.41 where two people have 0.5 in common.
    assert since(0, 0, 45, 45) == []
    assert since(0, 0, 45, 45, same=SamePerson(midpoint=0.5, common=0.5)) == [2.0]


def test_a_vector_of_nothing_is_nobody():
    assert not SAME.alike(np.zeros(2, np.float32), np.array(unit_vector(0), np.float32))
