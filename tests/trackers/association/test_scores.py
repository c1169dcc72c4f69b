"""How likely a tracklet shows each of some people."""

import math

import pytest

from builders_trackers import make_people, make_rules, make_tracklet
from trackers.association.appearance import (
    AMONG_FEW,
    AMONG_MANY,
    Calibration,
    Line,
    Strangers,
    appearance_evidence,
    similarity,
)
from trackers.association.scores import Scores
from trackers.association.topology import topology_of

WAYS = topology_of({("a", "b"): 10.0})


def seen(camera_id, track_id, start, *looks):
    return make_tracklet(start, start + 5, camera_id=camera_id, track_id=track_id, looks=looks)


def scores_of(members, topology=None, **changed):
    people = make_people(members, topology)
    rules = make_rules(topology, **changed)
    return Scores(rules, people.candidates._topology, people.candidates, Strangers()), people


def test_of_nobody_there_is_nothing_to_say():
    scores, _ = scores_of({})
    assert scores.of(seen("b", 9, 15, 0), [], 0) == []


def test_the_more_are_known_the_more_likely_one_looks_like_a_stranger():
    scores, people = scores_of({1: [seen("a", 1, 0)]})
    for known in (1, 9):
        (score,) = scores.of(seen("b", 9, 15), [people.identities[1]], known)
        assert score == pytest.approx(-math.log(1 + known))


def test_where_the_ways_are_known_they_count_instead():
    scores, people = scores_of({1: [seen("a", 1, 0)]}, WAYS)
    (score,) = scores.of(seen("b", 9, 15), [people.identities[1]], 9)
    assert score == pytest.approx(WAYS.evidence("a", "b", 10.0))


def test_what_is_impossible_stays_so_however_alike_they_look():
    members = {1: [seen("a", 1, 0, 0)], 2: [seen("b", 2, 12, 0)], 3: [seen("a", 3, 0, 0)]}
    scores, people = scores_of(members, WAYS)
    found = scores.of(seen("b", 9, 15, 0), list(people.identities.values()), 3)
    assert found[1] == -math.inf  # there at the same time
    assert found[0] == found[2] > 0
    assert scores.of(seen("b", 9, 5.5, 0), [people.identities[1]], 3) == [-math.inf]


def test_looks_in_the_same_camera_and_in_others_are_averaged_as_one_by_one():
    lines = Calibration(Line(4.0, 0.6), Line(7.0, 0.4))
    member_sets = {1: [seen("a", 1, 0, 10), seen("b", 2, 6, 50, 70)], 2: [seen("a", 3, 0, 80)]}
    for topology, trust in ((None, AMONG_MANY), (topology_of({("a", "b"): 0.0}), AMONG_FEW)):
        scores, people = scores_of(member_sets, topology, calibration=lines)
        tracklet = seen("a", 9, 12, 5, 40)
        known = list(people.identities.values())
        said = []
        for identity in known:
            here, others = identity.galleries("a")
            pairs = ((here, lines.same_camera), (others, lines.other_cameras))
            found = [
                appearance_evidence(
                    similarity(tracklet.exemplars, tracklet.qualities, gallery), line, 0.0, trust
                )
                for gallery, line in pairs
                if len(gallery)
            ]
            said.append(sum(found) / len(found))
        assert scores._looks(tracklet, known) == pytest.approx(said, abs=1e-5)
