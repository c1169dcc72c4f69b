"""How likely a tracklet shows each of some people."""

import math

import pytest

from builders_trackers import make_people, make_rules, make_tracklet
from trackers.association.appearance import Population
from trackers.association.scores import Scorer
from trackers.association.shared_views import SharedViews
from trackers.association.topology import topology_of

TRANSITIONS = topology_of({("a", "b"): 10.0})


def seen(camera_id, track_id, start, *exemplars):
    return make_tracklet(
        start, start + 5, camera_id=camera_id, track_id=track_id, exemplars=exemplars
    )


def scores_of(members, topology=None, **changed):
    people = make_people(members, topology)
    rules = make_rules(topology, **changed)
    return Scorer(
        rules,
        people.candidates._topology,
        people.candidates,
        Population(rules.calibration),
        SharedViews(people.candidates._topology.learn_overlaps),
    ), people


def test_of_nobody_there_is_nothing_to_say():
    scores, _ = scores_of({})
    assert scores.of(seen("b", 9, 15, 0), []) == []


def test_without_appearance_the_way_counts():
    for topology in (None, TRANSITIONS):
        scores, people = scores_of({1: [seen("a", 1, 0)]}, topology)
        (score,) = scores.of(seen("b", 9, 15), [people.identities[1]])
        assert score == pytest.approx(scores.topology.evidence("a", "b", 10.0))


def test_what_is_impossible_stays_so_however_alike_they_look():
    members = {1: [seen("a", 1, 0, 0)], 2: [seen("b", 2, 12, 0)], 3: [seen("a", 3, 0, 0)]}
    scores, people = scores_of(members, TRANSITIONS)
    found = scores.of(seen("b", 9, 15, 0), list(people.identities.values()))
    assert found[1] == -math.inf  # there at the same time
    assert found[0] == found[2] > 0
    assert scores.of(seen("b", 9, 5.5, 0), [people.identities[1]]) == [-math.inf]


def test_appearance_are_added_as_one_by_one():
    scores, people = scores_of(
        {1: [seen("a", 1, 0, 10), seen("b", 2, 6, 50)], 2: [seen("a", 3, 0)]}
    )
    tracklet = seen("c", 9, 15, 5, 40)
    known = list(people.identities.values())
    mine = scores.population.of(tracklet)
    said = scores.population.evidence(mine, [known[0].appearance(scores.population)])[0]
    transitions = [
        scores.topology.evidence("b", "c", 4.0),
        scores.topology.evidence("a", "c", 10.0),
    ]
    assert scores.of(tracklet, known) == pytest.approx([transitions[0] + said, transitions[1]])
