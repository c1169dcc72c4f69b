"""Ways that are learnt from who was seen again: when they count, and what a restart knows."""

import msgspec
import pytest

from builders_trackers import make_calibration, make_rules, make_tracklet
from trackers.association.appearance import Population
from trackers.association.association import Association
from trackers.association.learned_topology import KNOWN_AFTER, REMEMBERED, LearnedTopology
from trackers.association.topology import Topology, topology_of
from trackers.association.topology_evidence import Link

POPULATION = Population(make_calibration(20.0, 0.5))


def learning(topology, *links):
    learned = LearnedTopology(topology, 600.0)
    for link in links:
        learned.add_link(link)
    return learned


def test_from_nobody_nothing_is_learnt():
    topology = Topology()
    learned = learning(topology)
    learned.learn(10.0, POPULATION)
    assert learned.pop_changed() == {}
    assert topology.transitions == {}


@pytest.mark.parametrize(("more", "knows"), [(-1, False), (0, True)])
def test_a_camera_is_known_from_so_many_people_on(more, knows):
    topology = Topology()
    learning(topology, *[Link("a", "b", 10.0)] * (KNOWN_AFTER + more))
    assert topology.knows("a") is topology.knows("b") is knows


def test_the_way_takes_as_long_as_people_did():
    topology = Topology()
    learning(topology, *[Link("a", "b", gap) for gap in [8.0, 10.0, 15.0] * KNOWN_AFTER])
    transition = topology.transitions["b"]["a"]
    assert transition.typical_s == 10.0
    assert not transition.overlaps
    assert transition.share > 0.9
    assert topology.evidence("a", "b", 10.0) > topology.evidence("a", "b", 20.0)


def test_who_goes_the_other_way_takes_as_long():
    topology = Topology()
    learning(topology, *[Link("a", "b", 10.0)] * KNOWN_AFTER, *[Link("b", "a", 12.0)] * 5)
    assert topology.transitions["a"]["b"].typical_s == 10.0


@pytest.mark.parametrize(("times", "leads"), [(1, False), (2, True)])
def test_once_may_be_a_mistake(times, leads):
    topology = Topology()
    learning(topology, *[Link("a", "c", 5.0)] * times, *[Link("a", "b", 10.0)] * KNOWN_AFTER)
    assert ("a" in topology.transitions.get("c", {})) is leads


@pytest.mark.parametrize(("together", "overlaps"), [(3, False), (4, True)])
def test_cameras_overlap_when_a_fifth_is_seen_by_both_at_one_time(together, overlaps):
    topology = Topology()
    links = [Link("a", "b", -3.0)] * together + [Link("a", "b", 2.0)] * (20 - together)
    learning(topology, *links)
    assert topology.transitions["b"]["a"].overlaps is overlaps


def test_what_was_given_stays():
    topology = topology_of({("a", "b"): 10.0})
    given = topology.transitions["b"]["a"]
    links = [Link("a", "b", 30.0), Link("a", "c", 5.0)] * KNOWN_AFTER
    learning(topology, *links)
    assert topology.transitions["b"]["a"] is given
    assert topology.transitions["c"]["a"].typical_s == 5.0


def test_what_is_old_is_forgotten():
    topology = Topology()
    learned = learning(topology, *[Link("a", "b", 10.0)] * KNOWN_AFTER)
    assert "a" in topology.transitions["b"]
    for _ in range(REMEMBERED):
        learned.add_link(Link("a", "c", 10.0))
    assert "a" not in topology.transitions["b"]
    assert len(learned.pop_changed()["a"]["departures"]) == REMEMBERED


def test_after_a_restart_it_goes_on_as_if_nothing_had_been():
    links = [Link("a", "b", 9.0 + n % 3) for n in range(33)]
    links += [Link("b", "a", 11.0), Link("b", "c", -4.0)] * (KNOWN_AFTER - 1)
    calm, first, second = Topology(), Topology(), Topology()
    undisturbed = learning(calm, *links)
    stored = {}
    before = learning(first)
    for link in links[:40]:
        before.add_link(link)
        stored |= msgspec.msgpack.decode(msgspec.msgpack.encode(before.pop_changed()))
    after = learning(second)
    for camera_id, memory in stored.items():
        after.remember(camera_id, memory)
    assert second.transitions == first.transitions != {}
    assert after.pop_changed() == {}
    for link in links[40:]:
        after.add_link(link)
    assert second.transitions == calm.transitions
    # Only "b" was left by anybody since.
    assert after.pop_changed() == {"b": undisturbed.pop_changed()["b"]}


def seen(camera_id, start, end, **more):
    return make_tracklet(start, end, camera_id=camera_id, exemplars=[0], **more)


def test_it_is_learnt_from_tracklets_that_are_closed():
    learned = learning(Topology())
    learned.add(seen("a", 0, 5))
    learned.add(seen("b", 9, 12, closed=False))
    learned.add(make_tracklet(9, 12, camera_id="c"))
    learned.learn(12.0, POPULATION)
    assert learned.pop_changed() == {}
    learned.add(seen("b", 9, 13, revision=2))
    learned.learn(13.0, POPULATION)
    assert learned.pop_changed()["a"]["departures"] == [("b", 4.0)]


def test_what_was_learnt_from_before_a_restart_is_not_learnt_again():
    learned = learning(Topology())
    learned.restore(seen("b", 9, 12))
    learned.restore(seen("a", 0, 5))
    learned.needed = 12.0
    learned.learn(13.0, POPULATION)
    assert learned.pop_changed() == {}
    learned.add(seen("c", 20, 22))
    learned.learn(22.0, POPULATION)
    assert learned.pop_changed()["b"]["departures"] == [("c", 8.0)]


def test_from_who_was_forgotten_nothing_is_learnt():
    learned = learning(Topology())
    learned.add(seen("a", 0, 5))
    learned.learn(5.0, POPULATION)
    learned.forget([("a", 1)])
    learned.add(seen("b", 9, 12))
    learned.learn(12.0, POPULATION)
    assert learned.pop_changed() == {}


@pytest.mark.parametrize("removed", [False, True])
def test_from_a_person_who_was_removed_nothing_is_learnt(removed):
    association = Association(make_rules(calibration=make_calibration(20.0, 0.5)))
    association.observe(seen("a", 0, 5))
    association.decide(5.0)
    if removed:
        assert association.remove(1) == [("a", 1)]
    association.observe(seen("b", 9, 12))
    association.decide(12.0)
    assert bool(association.learned_topology.pop_changed()) is not removed
