"""How reliable confidences are, on hand-made decisions."""

import pytest

from walking.reliability import Judged, reliability


def test_nothing_was_decided() -> None:
    found = reliability([])
    assert (found["ece"], found["confirmed"]) == (0, 0)


def test_a_confidence_that_comes_true() -> None:
    """Of ten tracks of one person nine have one id; all were given a confidence of 0.9."""
    nine = [Judged(1, 7, 1.0, 0.9, confirmed=True) for _ in range(9)]
    found = reliability([*nine, Judged(1, 8, 1.0, 0.9, confirmed=False)])
    assert found["ece"] == pytest.approx(0.0, abs=1e-9)
    assert (found["confirmed"], found["confirmed_right"], found["probable_right"]) == (0.9, 1, 0)


def test_an_id_is_right_for_one_person_only() -> None:
    """Two people have one id: it is right for whom it shows longer."""
    found = reliability([Judged(1, 7, 3.0, 1.0, True), Judged(2, 7, 1.0, 1.0, True)])
    assert found["ece"] == pytest.approx(0.5)
    assert found["confirmed_right"] == 0.5
