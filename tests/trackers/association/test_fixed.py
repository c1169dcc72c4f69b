"""What was corrected stays so, whatever is decided automatically afterwards."""

import random
from collections.abc import Iterable
from dataclasses import replace
from itertools import count

import msgspec
import pytest

from builders_ground import VIEWS, track_at
from builders_trackers import make_calibration, make_rules, seen
from trackers.association.association import Association
from trackers.association.corrections import Correction, active, apply, undo
from trackers.association.decision import Decision, Rules
from trackers.association.ground_association import GroundAssociation
from trackers.tracklet import Tracklet

RULES = make_rules(evidence_s=1.0, calibration=make_calibration(10.0, 0.5))
ANNA, BERT = (0.0, 0.0), (90.0, 90.0)


class Site:
    """An association, and the log of identities that its decisions make."""

    def __init__(self, association: Association) -> None:
        self.association = association
        self.log: dict[tuple[str, int, float | None], int] = {}
        self.history: list[Correction] = []

    def see(self, at: float, *tracklets: Tracklet) -> None:
        """Decide on tracklets."""
        for tracklet in tracklets:
            self.association.observe(tracklet)
        self.record(self.association.decide(at))

    def record(self, decisions: Iterable[Decision]) -> None:
        """Enter decisions in the log."""
        for one in decisions:
            self.log[*one.key, one.since] = one.global_id

    def correct(self, correction: Correction) -> Correction:
        """Make a correction, as the associator does."""
        parts, number = self.association.parts(), len(self.history) + 1
        made = apply(correction, parts, self.association.next_global_id)
        free: Iterable[tuple[str, int, float | None]] = ()
        if correction.undoes is not None:
            back = undo(self.history, correction.undoes, parts)
            made, free = replace(made, changes=back.changes), back.free
        made = replace(made, number=number)
        self.history.append(made)
        self.association.correct(made, free)
        self.log |= {change.key: change.after for change in made.changes}
        return made

    def restart(self, rules: Rules = RULES) -> None:
        """Go on with what is stored, as after `kill -9`."""
        before, after = self.association, Association(rules)
        after.remember(msgspec.msgpack.decode(msgspec.msgpack.encode(before.memory())))
        for identity in before.identities.values():
            for key, tracklet in identity.members.items():
                owner = before.owner(key)
                after.restore(tracklet, owner, before.state(key), before.clarity(key))
        after.next_global_id = before.next_global_id
        self.association = after

    def finish(self) -> dict[tuple[str, int, float | None], int]:
        """All ids at the end."""
        self.record(self.association.finish())
        return self.log


def merge(one: int, into: int) -> Correction:
    return Correction("merge", global_id=one, into=into)


@pytest.fixture
def site() -> Site:
    """Anna is 1 in a, Bert 2 in b."""
    found = Site(Association(RULES))
    found.see(6, seen("a", 1, 0, *ANNA))
    found.see(16, seen("b", 2, 10, *BERT))
    assert found.log == {("a", 1, None): 1, ("b", 2, None): 2}
    return found


@pytest.mark.parametrize("again", [False, True], ids=["as it is", "after a restart"])
def test_merged_people_stay_one_also_in_the_solution_at_the_end(site: Site, again: bool) -> None:
    site.correct(merge(2, 1))
    if again:
        site.restart()
    site.see(26, seen("c", 3, 20, *BERT))
    site.see(36, seen("c", 4, 30, *ANNA))
    assert [site.finish()[key] for key in (("a", 1, None), ("b", 2, None))] == [1, 1]


def test_without_the_correction_they_are_two(site: Site) -> None:
    assert site.finish() == {("a", 1, None): 1, ("b", 2, None): 2}


@pytest.mark.parametrize("again", [False, True], ids=["as it is", "after a restart"])
def test_a_split_person_stays_two_although_they_look_alike(again: bool) -> None:
    site = Site(Association(RULES))
    site.see(6, seen("a", 1, 0, *ANNA))
    site.see(16, seen("b", 2, 10, *ANNA))
    assert set(site.log.values()) == {1}
    made = site.correct(Correction("split", global_id=1, moment=8.0))
    if again:
        site.restart()
    assert site.finish() == {("a", 1, None): 1, ("b", 2, None): made.new_id}


def test_a_split_within_a_track_cuts_it_and_the_rest_is_the_new_person() -> None:
    site = Site(Association(RULES))
    site.see(6, seen("a", 1, 0, *ANNA))
    site.see(16, seen("b", 2, 10, *ANNA))
    site.correct(Correction("split", global_id=1, moment=12.0))
    assert site.log == {("a", 1, None): 1, ("b", 2, None): 1, ("b", 2, 12.0): 2}
    # Both parts are known: a later correction reaches each.
    site.correct(merge(2, 1))
    assert set(site.log.values()) == {1}
    site.correct(Correction("undo", undoes=2))
    site.correct(Correction("undo", undoes=1))
    assert set(site.log.values()) == {1}
    assert set(site.finish().values()) == {1}


def test_what_was_cut_off_and_is_free_again_follows_its_track() -> None:
    site = Site(Association(RULES))
    site.see(6, seen("a", 1, 0, *ANNA))
    site.see(16, seen("b", 2, 10, *BERT))
    site.correct(Correction("split", global_id=2, moment=12.0))
    site.correct(Correction("undo", undoes=1))
    site.correct(merge(2, 1))
    assert set(site.log.values()) == {1}
    site.correct(Correction("undo", undoes=3))
    assert site.log == {("a", 1, None): 1, ("b", 2, None): 2, ("b", 2, 12.0): 2}


def test_an_undone_merge_is_decided_automatically_again(site: Site) -> None:
    site.correct(merge(2, 1))
    site.correct(Correction("undo", undoes=1))
    assert site.log == {("a", 1, None): 1, ("b", 2, None): 2}
    assert ("a", 1) not in site.association.people.fixed
    site.see(26, seen("c", 3, 20, *BERT))
    assert site.finish()["c", 3, None] == 2
    assert site.log["a", 1, None] == 1


def test_a_moved_track_stays_where_it_was_moved(site: Site) -> None:
    site.see(26, seen("c", 3, 20, *BERT))
    assert site.log["c", 3, None] == 2
    site.correct(Correction("move", camera_id="c", track_id=3, to=1))
    # Whoever looks like the track is that person too, as far as that was not corrected.
    assert site.finish() == dict.fromkeys([("a", 1, None), ("b", 2, None), ("c", 3, None)], 1)


def test_what_a_moved_track_looks_like_moves_nothing_that_was_corrected(site: Site) -> None:
    site.see(26, seen("c", 3, 20, *BERT))
    site.see(36, seen("d", 4, 30, *BERT))
    site.correct(Correction("split", global_id=2, moment=19.0))
    site.correct(Correction("move", camera_id="c", track_id=3, to=1))
    found = site.finish()
    assert (found["b", 2, None], found["c", 3, None], found["d", 4, None]) == (2, 1, 3)


def test_a_track_of_nobody_else_can_be_a_new_person(site: Site) -> None:
    site.see(26, seen("c", 3, 20, *BERT))
    made = site.correct(Correction("move", camera_id="c", track_id=3))
    assert made.new_id == 3
    site.see(36, seen("d", 4, 30, 180.0, 180.0))
    assert site.log["d", 4, None] == 4
    assert site.finish()["c", 3, None] == 3


def test_two_seen_at_one_time_stay_merged() -> None:
    site = Site(Association(RULES))
    site.see(6, seen("a", 1, 0, *ANNA), seen("a", 2, 1, *BERT))
    assert set(site.log.values()) == {1, 2}
    site.correct(merge(2, 1))
    site.see(26, seen("b", 3, 20, *ANNA))
    assert set(site.finish().values()) == {1}


def test_a_forgotten_person_leaves_nothing_that_is_fixed(site: Site) -> None:
    site.correct(merge(2, 1))
    site.association.remove(1)
    assert site.association.people.fixed.memory() == [[], [], [], []]


def test_people_on_the_ground_are_merged_and_stay_so() -> None:
    here, there = (3.0, 2.0), (7.0, 4.0)
    times = [step / 4 for step in range(12)]
    site = Site(GroundAssociation(RULES, VIEWS))
    west = track_at("west", 1, [(time, here) for time in times])
    south = track_at("south", 2, [(time, there) for time in times])
    site.see(3, west, south)
    assert set(site.log.values()) == {1, 2}
    # As no automatic decision could: they stood in two places at one time.
    site.correct(merge(2, 1))
    assert site.finish() == {("west", 1, None): 1, ("south", 2, None): 1}


def test_one_track_of_a_person_on_the_ground_can_be_moved_alone() -> None:
    here, times = (4.0, 3.0), [step / 4 for step in range(12)]
    site = Site(GroundAssociation(RULES, VIEWS))
    both = [
        track_at(name, n, [(t, here) for t in times]) for name, n in (("west", 1), ("south", 2))
    ]
    site.see(3, *both)
    assert set(site.log.values()) == {1}
    made = site.correct(Correction("move", camera_id="south", track_id=2))
    assert site.finish() == {("west", 1, None): 1, ("south", 2, None): made.new_id}
    site.correct(Correction("undo", undoes=1))
    assert set(site.log.values()) == {1}


def at_random(site: Site, chance: random.Random) -> Correction | None:
    """Some correction of what is there."""
    parts = site.association.parts()
    ids = sorted({part.global_id for part in parts})
    one, part = chance.choice(ids), chance.choice(parts)
    match chance.choice(["merge", "split", "move", "undo", "undo"]):
        case "merge" if len(ids) > 1:
            return merge(*chance.sample(ids, 2))
        case "split":
            theirs = [p for p in parts if p.global_id == one]
            first, last = min(p.start for p in theirs), max(p.end for p in theirs)
            return Correction("split", global_id=one, moment=chance.uniform(first + 0.01, last))
        case "move":
            to = chance.choice([None, *(i for i in ids if i != part.global_id)])
            return Correction(
                "move", camera_id=part.camera_id, track_id=part.track_id, since=part.since, to=to
            )
        case "undo" if active(site.history):
            return Correction("undo", undoes=chance.choice(active(site.history)).number)
    return None


@pytest.mark.parametrize("ground", [False, True], ids=["plain", "ground"])
@pytest.mark.parametrize("seed", range(8))
def test_after_any_corrections_the_log_says_what_the_association_knows(
    seed: int, ground: bool
) -> None:
    chance, number = random.Random(seed), count(1)
    site = Site(GroundAssociation(RULES, VIEWS) if ground else Association(RULES))
    for start in range(0, 60, 10):
        places = ((3.0 + chance.random(), 2.0), (7.0, 4.0))[: chance.choice([1, 2])]
        found = [seen(chance.choice("abc"), next(number), start, *chance.choice([ANNA, BERT]))]
        for name in ("west", "south") if ground else ():
            for place in places:
                steps = [(start + step / 4, place) for step in range(16)]
                found.append(track_at(name, next(number), steps))
        site.see(start + 6, *found)
        for _ in range(chance.randrange(3)):
            correction = at_random(site, chance)
            if correction is not None:
                site.correct(correction)
            if not ground and chance.random() < 0.3:
                site.restart()
            assert {part.key: part.global_id for part in site.association.parts()} == site.log
    fixed = site.association.people.fixed
    held = {key: owner for key, owner in site.log.items() if fixed.owner(key) is not None}
    found_at_the_end = site.finish()
    assert {key: found_at_the_end[key] for key in held} == held
    assert {part.key: part.global_id for part in site.association.parts()} == found_at_the_end
