"""How reliable confidences are, on hand-made decisions."""

import pytest

from walking.reliability import JudgedTrack, curve, reliability


def test_nothing_was_decided() -> None:
    found = reliability([])
    assert (found["ece"], found["confirmed"]) == (0, 0)


def test_a_confidence_that_comes_true() -> None:
    """Of ten tracks of one person nine have one id; all were given a confidence of 0.9."""
    nine = [JudgedTrack(1, 7, 1.0, 0.9, confirmed=True) for _ in range(9)]
    found = reliability([*nine, JudgedTrack(1, 8, 1.0, 0.9, confirmed=False)])
    assert found["ece"] == pytest.approx(0.0, abs=1e-9)
    assert (found["confirmed"], found["confirmed_right"], found["probable_right"]) == (0.9, 1, 0)


def test_an_id_is_right_for_one_person_only() -> None:
    """Two people have one id: it is right for whom it shows longer."""
    found = reliability([JudgedTrack(1, 7, 3.0, 1.0, True), JudgedTrack(2, 7, 1.0, 1.0, True)])
    assert found["ece"] == pytest.approx(0.5)
    assert found["confirmed_right"] == 0.5


def test_the_curve_has_a_row_for_each_tenth_with_decisions() -> None:
    decisions = [
        JudgedTrack(1, 7, 5.0, 0.95, confirmed=True),
        JudgedTrack(1, 8, 1.0, 0.97, confirmed=True),
        JudgedTrack(2, 9, 2.0, 0.5, confirmed=False),
        JudgedTrack(3, 9, 1.0, 0.5, confirmed=False),
    ]
    low, high = curve(decisions)
    assert (low.share, low.confidence, low.right) == pytest.approx((0.5, 0.5, 0.5))
    assert (high.share, high.confidence, high.right) == pytest.approx((0.5, 0.96, 0.5))
    assert reliability(decisions)["ece"] == pytest.approx(0.5 * 0.46)


def test_without_decisions_there_is_no_curve() -> None:
    assert curve([]) == []
    assert reliability([])["ece"] == 0.0
