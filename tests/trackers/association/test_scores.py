"""How likely a tracklet shows each of some people."""

import math

import numpy as np
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


def all_of(scores, tracklet, people):
    found, (row,) = scores.of([tracklet], people, len(people))
    known = {one.global_id: score for one, score in zip(found, row.tolist(), strict=True)}
    # Who cannot be in it is left out.
    return [known.get(one.global_id, -math.inf) for one in people]


def test_of_nobody_there_is_nothing_to_say():
    scores, _ = scores_of({})
    people, found = scores.of([seen("b", 9, 15, 0)], [], 3)
    assert people == []
    assert found.shape == (1, 0)


def test_without_appearance_the_way_counts():
    for topology in (None, TRANSITIONS):
        scores, people = scores_of({1: [seen("a", 1, 0)]}, topology)
        (score,) = all_of(scores, seen("b", 9, 15), [people.identities[1]])
        assert score == pytest.approx(scores.topology.evidence("a", "b", 10.0))


def test_what_is_impossible_stays_so_however_alike_they_look():
    members = {1: [seen("a", 1, 0, 0)], 2: [seen("b", 2, 12, 0)], 3: [seen("a", 3, 0, 0)]}
    scores, people = scores_of(members, TRANSITIONS)
    found = all_of(scores, seen("b", 9, 15, 0), list(people.identities.values()))
    assert found[1] == -math.inf  # there at the same time
    assert found[0] == found[2] > 0
    assert all_of(scores, seen("b", 9, 5.5, 0), [people.identities[1]]) == [-math.inf]


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
    assert all_of(scores, tracklet, known) == pytest.approx([transitions[0] + said, transitions[1]])


def crowd(count):
    chance = np.random.default_rng(3)
    return {
        number: [
            seen(str(chance.choice(["a", "b", "c"])), number, float(start), float(angle))
            for start, angle in zip(
                chance.uniform(0, 300, 1), chance.uniform(0, 180, 1), strict=True
            )
        ]
        for number in range(1, count + 1)
    }


@pytest.mark.parametrize("start", [301, 150])
@pytest.mark.parametrize("count", [30, 64, 65, 80])
@pytest.mark.parametrize("topology", [None, TRANSITIONS])
def test_of_many_people_none_of_the_likeliest_is_left_out(topology, count, start):
    scores, people = scores_of(crowd(count), topology)
    everybody = list(people.identities.values())
    together = [seen("b", 90 + row, start + 3 * row, 40.0 * row) for row in range(3)]
    kept, found = scores.of(together, everybody, 4)
    assert len(kept) < len(everybody)
    for row, tracklet in enumerate(together):
        alone = {one.global_id: all_of(scores, tracklet, [one])[0] for one in everybody}
        assert found[row] == pytest.approx([alone[one.global_id] for one in kept], abs=1e-5)
        best = sorted(alone, key=lambda one: -alone[one])[:4]
        possible = {one for one in best if alone[one] > -math.inf}
        assert possible <= {one.global_id for one in kept}


@pytest.mark.parametrize("seed", range(8))
def test_who_can_be_in_one_of_two_tracklets_only_hides_nobody(seed):
    angles = np.random.default_rng(seed).permutation(10) * 9.0
    members = {}
    for number, angle in enumerate(angles.tolist()):
        members[2 * number] = [seen("b", 2 * number, 12, 0)]
        members[2 * number + 1] = [seen("a", 2 * number + 1, 0, angle)]
    scores, people = scores_of(members, TRANSITIONS)
    # Of those who were in the camera, nobody can be in the first.
    together = [seen("b", 29, 15, 0), seen("b", 30, 20, 90)]
    kept, rows = scores.of(together, list(people.identities.values()), 1)
    assert kept[int(rows[0].argmax())].global_id == 2 * int(angles.argmin()) + 1


def test_the_appearance_of_who_cannot_be_in_a_tracklet_is_not_needed():
    members = {1: [seen("a", 1, 0, 0)], 2: [seen("b", 2, 12, 0)]}
    scores, people = scores_of(members, TRANSITIONS)
    known = list(people.identities.values())
    together = [seen("b", 9, 15, 0), seen("b", 10, 15.5, 90)]
    found, rows = scores.of(together, known, 2)
    assert found == known[:1]
    assert rows.shape == (2, 1)
    assert known[0]._appearance is not None
    assert known[1]._appearance is None


def test_who_has_changed_is_scored_as_they_are_now():
    scores, people = scores_of({1: [seen("a", 1, 0, 80)], 2: [seen("a", 2, 0, 0)]})
    tracklet = seen("b", 9, 30, 0)
    before = all_of(scores, tracklet, list(people.identities.values()))
    people.join(seen("c", 3, 12, 0), 1)
    people.forget([2])
    people.join(seen("a", 4, 3, 80), 5)
    after = all_of(scores, tracklet, list(people.identities.values()))
    assert after[0] > before[0]
    fresh, anew = scores_of(
        {1: [seen("a", 1, 0, 80), seen("c", 3, 12, 0)], 5: [seen("a", 4, 3, 80)]}
    )
    assert after == all_of(fresh, tracklet, list(anew.identities.values()))
    people.fade(16.0)
    assert all_of(scores, tracklet, [people.identities[5]])[0] == pytest.approx(
        scores.topology.evidence("a", "b", 22.0)
    )
