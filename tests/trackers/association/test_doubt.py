"""How sure it is whose a tracklet is: of itself, and of its whole person."""

import math

import pytest

from builders_trackers import TRANSITIONS, evidence_of, make_people, make_tracklet, seen
from trackers.association.decision import Decision, log_odds
from trackers.association.doubt import log_of_sum, margins_of
from trackers.association.partition import Judged, Partition, corrections


def judged(groups):
    """The margins, and the partition; every tracklet may be whom any before it shows."""
    ordered = sorted((t for g in groups.values() for t in g), key=lambda t: (t.start, t.key))
    owner = {t.key: name for name, group in groups.items() for t in group}
    others = {
        t.key: sorted({owner[o.key] for o in ordered[:n]} - {owner[t.key]})
        for n, t in enumerate(ordered)
    }
    partition = Partition(evidence_of(TRANSITIONS), lambda name: groups.get(name, []))
    return margins_of(ordered, owner, others, partition), partition


def test_nobody():
    assert judged({})[0] == {}


def test_logarithms_of_sums():
    assert log_of_sum([]) == log_of_sum([-math.inf]) == -math.inf
    assert log_of_sum([3.0, math.inf]) == math.inf
    assert log_of_sum([math.log(2), -math.inf, math.log(3)]) == pytest.approx(math.log(5))
    assert log_of_sum([1000.0, 1000.0]) == pytest.approx(1000 + math.log(2))


def test_alone_it_is_beyond_doubt():
    only = seen("a", 1, 0, 0)
    assert judged({1: [only]})[0] == {only.key: math.inf}


def test_who_is_seen_for_less_time_may_be_part_of_who_is_seen_for_more():
    """The first of them too, although nobody came before."""
    short = make_tracklet(0, 4, camera_id="a", track_id=1, exemplars=[0])
    longer = make_tracklet(14, 20, camera_id="b", track_id=2, exemplars=[100])
    margins, partition = judged({1: [short], 2: [longer]})
    gain = partition.gain(1, 2)
    assert -20 < gain < 0
    assert margins[short.key] == pytest.approx(-gain)
    # It keeps its id whether it is joined or not, but for the tracklet alone that cannot be said.
    assert margins[longer.key] == pytest.approx(partition.margin(longer, 2, [1]))


def test_of_two_seen_as_long_the_first_person_counts_as_more():
    first, second = seen("a", 1, 0, 0), seen("b", 2, 15, 40)
    margins, partition = judged({1: [first], 2: [second]})
    assert margins[first.key] == math.inf
    alone, gain = partition.margin(second, 2, [1]), partition.gain(1, 2)
    assert margins[second.key] == pytest.approx(-math.log(math.exp(-alone) + math.exp(gain)))


def confirmed():
    people = make_people({1: [seen("a", 1, 0, 0, 0, 0, 0)]})
    people.confirm(("a", 1))
    return people


def test_what_was_confirmed_is_probable_again_where_it_is_less_sure():
    people = confirmed()
    (doubted,) = corrections(people, Judged({}, {("a", 1): math.log(3)}))
    assert doubted == Decision(
        ("a", 1), 1, pytest.approx(0.75), "doubted", "less sure than it was", state="probable"
    )
    assert people.state(("a", 1)) == "probable"
    assert corrections(people, Judged({}, {("a", 1): math.log(3)})) == []


def test_what_is_as_sure_as_it_must_be_stays_confirmed():
    least = log_odds(0.9)
    assert corrections(confirmed(), Judged({}, {("a", 1): least})) == []
    below = Judged({}, {("a", 1): math.nextafter(least, 0)})
    assert [d.kind for d in corrections(confirmed(), below)] == ["doubted"]
