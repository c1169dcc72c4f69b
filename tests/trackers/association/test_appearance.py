import numpy as np
import pytest

from builders_trackers import look, make_tracklet
from trackers.association.appearance import Line, Strangers, appearance_evidence, similarity

LINE = Line(slope=10.0, midpoint=0.6)


def _vectors(*degrees):
    return np.array([look(d) for d in degrees], np.float32).reshape(-1, 2)


def _weights(*values):
    return np.array(values, np.float32)


def test_the_best_counterpart_counts():
    # Seen from the front (0) and from behind (90), found again from behind.
    assert similarity(_vectors(90), _weights(1), _vectors(0, 90)) == pytest.approx(1.0)


def test_the_query_is_averaged_by_weight():
    query = _vectors(0, 90)
    assert similarity(query, _weights(1, 1), _vectors(0)) == pytest.approx(0.5)
    assert similarity(query, _weights(3, 1), _vectors(0)) == pytest.approx(0.75)


def test_crops_of_no_quality_count_when_there_are_no_others():
    assert similarity(_vectors(0, 90), _weights(0, 0), _vectors(0)) == pytest.approx(0.5)


@pytest.mark.parametrize(("query", "gallery"), [((), (0,)), ((0,), ()), ((), ())])
def test_nothing_to_compare(query, gallery):
    weights = np.ones(len(query), np.float32)
    assert similarity(_vectors(*query), weights, _vectors(*gallery)) is None


def test_a_tracklet_without_exemplars_has_nothing_to_compare():
    nothing = make_tracklet(0, 1)
    somebody = make_tracklet(0, 1, looks=[0])
    assert similarity(nothing.exemplars, nothing.qualities, somebody.exemplars) is None


def test_evidence_is_zero_at_the_midpoint_and_linear_around_it():
    assert appearance_evidence(0.6, LINE) == pytest.approx(0.0)
    assert appearance_evidence(0.8, LINE) == pytest.approx(1.0)
    assert appearance_evidence(0.5, LINE) == pytest.approx(-0.5)


def test_a_shift_moves_the_midpoint():
    assert appearance_evidence(0.7, LINE, shift=0.1) == pytest.approx(0.0)


def test_evidence_is_bounded_on_both_sides():
    steep = Line(slope=1000.0, midpoint=0.6)
    assert appearance_evidence(1.0, steep) == 3.0
    assert appearance_evidence(-1.0, steep) == -3.0


def test_no_cosine_is_no_evidence():
    assert appearance_evidence(None, LINE) is None


def test_nothing_is_shifted_before_strangers_were_seen_or_where_none_are_expected():
    strangers = Strangers()
    assert strangers.shift(0.5) == 0.0
    strangers.see(0.9)
    assert strangers.shift(None) == 0.0


def test_strangers_who_look_alike_shift_by_and_by():
    strangers = Strangers()
    shifts = []
    for _ in range(1000):
        strangers.see(0.7)
        shifts.append(strangers.shift(0.5))
    assert shifts == sorted(shifts)
    assert shifts[9] == pytest.approx(0.1)
    assert shifts[-1] == pytest.approx(0.2, abs=0.01)
