"""Who can be a tracklet's: with the ways known, a few; and never fewer than who can."""

import math

import numpy as np
import pytest

from builders_trackers import make_calibration, make_tracklet, unit_vector
from trackers.association.appearance import mean_embedding
from trackers.association.association import Association, Rules
from trackers.association.candidates import Candidates, NearestEmbeddings
from trackers.association.identity import Identity
from trackers.association.motion import Limits
from trackers.association.topology import Topology, topology_of

# Far apart but for b and c, which overlap.
SITE = topology_of({("a", "b"): 10.0, ("b", "c"): 0.0, ("c", "d"): 10.0, ("d", "e"): 10.0})


def test_nobody_is_known() -> None:
    assert Candidates(SITE).of([make_tracklet(0, 1)]) == []


def test_everybody_can_come_where_no_transitions_are_known() -> None:
    candidates = Candidates(Topology())
    candidates.update(2, make_tracklet(0, 1, camera_id="b"))
    candidates.update(1, make_tracklet(0, 1, camera_id="a"))
    assert candidates.of([make_tracklet(500, 501, track_id=2)]) == [1, 2]


def test_who_is_too_far_or_left_too_long_ago_cannot_come() -> None:
    candidates = Candidates(SITE)
    candidates.update(1, make_tracklet(0, 5, camera_id="a"))
    candidates.update(2, make_tracklet(0, 5, camera_id="e", track_id=2))
    assert candidates.of([make_tracklet(15, 16, camera_id="b", track_id=3)]) == [1]
    assert candidates.of([make_tracklet(900, 901, camera_id="b", track_id=3)]) == []


def test_where_somebody_was_seen_last_counts() -> None:
    candidates = Candidates(SITE)
    candidates.update(1, make_tracklet(0, 5, camera_id="a"))
    candidates.update(1, make_tracklet(30, 35, camera_id="e", track_id=2))
    candidates.update(1, make_tracklet(0, 6, camera_id="a", revision=2))
    assert candidates.of([make_tracklet(45, 46, camera_id="b", track_id=3)]) == []
    assert candidates.of([make_tracklet(45, 46, camera_id="d", track_id=3)]) == [1]


def test_who_was_seen_where_nothing_is_known_can_be_anywhere() -> None:
    candidates = Candidates(SITE)
    candidates.update(1, make_tracklet(0, 5, camera_id="elsewhere"))
    assert candidates.of([make_tracklet(900, 901, camera_id="b", track_id=3)]) == [1]


def test_who_is_forgotten_is_left_out() -> None:
    candidates = Candidates(SITE)
    candidates.update(1, make_tracklet(0, 5, camera_id="a"))
    candidates.forget(1)
    assert candidates.of([make_tracklet(15, 16, camera_id="b", track_id=3)]) == []


@pytest.mark.parametrize(("start", "possible"), [(4.0, True), (3.9, False)])
def test_nobody_is_in_two_places_at_once(start: float, possible: bool) -> None:
    before = make_tracklet(0, 5, camera_id="a")
    person = Identity(1)
    candidates = Candidates(SITE)
    for member in (before, make_tracklet(4, 20, camera_id="b", track_id=2)):
        person.update(member)
        candidates.update(1, member)
    way = candidates.transition_evidence(
        make_tracklet(start, 30, camera_id="c", track_id=3), person
    )
    assert (way > -math.inf) is possible


def association() -> Association:
    rules = Rules(1.0, 1, 0.5, 600.0, Limits(3.0, 1.5), make_calibration(4.0, 0.5), SITE)
    return Association(rules)


def test_an_association_follows_people_along_the_transitions() -> None:
    site = association()
    site.observe(make_tracklet(0, 5, camera_id="a", exemplars=[0]))
    site.decide(6)
    site.observe(make_tracklet(15, 20, camera_id="b", track_id=2, exemplars=[0]))
    site.observe(make_tracklet(15, 20, camera_id="e", track_id=3, exemplars=[0]))
    decisions = {decision.key: decision.global_id for decision in site.decide(21)}
    assert decisions == {("b", 2): 1, ("e", 3): 2}


def _rows(*degrees):
    return np.array([unit_vector(d) for d in degrees], np.float32).reshape(len(degrees), 2)


def test_the_mean_look_lies_amid():
    assert mean_embedding(_rows(0, 90)) == pytest.approx(unit_vector(45), abs=1e-6)


def test_appearance_that_cancel_out_are_no_look():
    assert mean_embedding(_rows(0, 180)) == pytest.approx([0, 0], abs=1e-3)


def test_of_nobody_none_is_alike():
    assert list(NearestEmbeddings().most(_rows(0), 3)) == []


def test_who_shows_nothing_is_like_nobody():
    alike = NearestEmbeddings()
    alike.put(1, _rows(0))
    alike.put(2, _rows())
    assert list(alike.most(_rows(), 3)) == []
    assert list(alike.most(_rows(0), 3)) == [1]


def test_as_many_as_there_are_are_all():
    alike = NearestEmbeddings()
    for name, degrees in enumerate((0, 90, 180)):
        alike.put(name, _rows(degrees))
    assert sorted(alike.most(_rows(80), 3)) == [0, 1, 2]
    assert sorted(alike.most(_rows(80), 2)) == [0, 1]
    assert sorted(alike.most(_rows(80), 1)) == [1]


def test_the_most_alike_are_those_of_a_plain_loop():
    rng = np.random.default_rng(0)
    alike, known = NearestEmbeddings(), {}
    for _ in range(600):
        name = int(rng.integers(150))
        if rng.random() < 0.3:
            alike.drop(name)
            known.pop(name, None)
        else:
            rows = rng.normal(size=(3, 16)).astype(np.float32)
            known[name] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
            alike.put(name, known[name])
        query = rng.normal(size=(2, 16)).astype(np.float32)
        cosines = {
            n: float(mean_embedding(rows) @ mean_embedding(query)) for n, rows in known.items()
        }
        expected = sorted(cosines, key=lambda n: -cosines[n])[:5]
        assert set(alike.most(query, 5)) == set(expected)
