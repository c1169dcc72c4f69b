"""Corrections as pure functions: what they change, and that an undo takes back exactly one."""

from collections.abc import Iterable
from dataclasses import replace

from trackers.association.corrections import (
    Correction,
    Part,
    apply,
    names,
    together,
    undo,
)

GATE = Part("gate", 1, None, 0.0, 1.0, 1)
HALL = Part("hall", 2, None, 2.0, 4.0, 2)
LATER = Part("gate", 3, None, 5.0, 6.0, 3)


class World:
    """Parts of tracks, and the corrections of them."""

    def __init__(self, *parts: Part) -> None:
        self.parts = {part.key: part for part in parts}
        self.history: list[Correction] = []

    def do(self, correction: Correction) -> Correction:
        """Make a correction."""
        number = len(self.history) + 1
        if correction.undoes is None:
            made = apply(correction, self.parts.values(), self._new_id())
        else:
            back = undo(self.history, correction.undoes, self.parts.values())
            made = replace(correction, changes=back.changes)
        self.history.append(replace(made, number=number))
        for change in made.changes:
            known = self.parts.get(change.key)
            if known is None:
                whole = next(p for p in self.parts.values() if p.key[:2] == change.key[:2])
                self.parts[whole.key] = replace(whole, end=change.since)
                known = replace(whole, since=change.since, start=change.since)
            self.parts[change.key] = replace(known, global_id=change.after)
        return made

    def owners(self) -> dict[str, int]:
        """The person of each part, by camera, track and since."""
        return {
            f"{p.camera_id}{p.track_id}{'' if p.since is None else f'@{p.since:g}'}": p.global_id
            for p in self.parts.values()
        }

    def _new_id(self) -> int:
        made: Iterable[int] = (one for c in self.history for one in c.people)
        return max([*(p.global_id for p in self.parts.values()), *made]) + 1


def merge(one: int, into: int) -> Correction:
    return Correction("merge", global_id=one, into=into)


def split(one: int, moment: float, camera_id: str | None = None) -> Correction:
    return Correction("split", global_id=one, moment=moment, camera_id=camera_id)


def back(number: int) -> Correction:
    return Correction("undo", undoes=number)


def test_a_merge_gives_all_tracks_to_the_other_and_its_undo_gives_them_back() -> None:
    world = World(GATE, HALL, LATER)
    assert len(world.do(merge(2, 1)).changes) == 1
    assert world.owners() == {"gate1": 1, "hall2": 1, "gate3": 3}
    world.do(back(1))
    assert world.owners() == {"gate1": 1, "hall2": 2, "gate3": 3}


def test_a_split_parts_tracks_and_cuts_the_one_it_falls_into() -> None:
    world = World(GATE, replace(HALL, global_id=1), replace(LATER, global_id=1))
    made = world.do(split(1, 3.0))
    assert made.new_id == 2
    assert [change.cut for change in made.changes] == [True, False]
    assert world.owners() == {"gate1": 1, "hall2": 1, "hall2@3": 2, "gate3": 2}
    world.do(back(1))
    assert world.owners() == {"gate1": 1, "hall2": 1, "hall2@3": 1, "gate3": 1}


def test_a_split_counts_from_the_exact_moment_on() -> None:
    world = World(replace(GATE, global_id=1), replace(HALL, global_id=1))
    # The track that begins then is the other one's as a whole, without a cut.
    assert [c.cut for c in apply(split(1, 2.0), world.parts.values(), 9).changes] == [False]
    # The last picture at that moment too.
    assert [c.key for c in apply(split(1, 4.0), world.parts.values(), 9).changes] == [
        ("hall", 2, 4.0)
    ]
    assert not apply(split(1, 4.1), world.parts.values(), 9).changes


def test_a_split_may_be_of_one_camera() -> None:
    world = World(GATE, replace(HALL, global_id=1), replace(LATER, global_id=1))
    world.do(split(1, 2.0, "gate"))
    assert world.owners() == {"gate1": 1, "hall2": 1, "gate3": 2}


def test_a_move_takes_one_part_to_somebody_or_to_a_new_person() -> None:
    world = World(GATE, HALL, replace(HALL, since=3.0, start=3.0, global_id=3))
    world.do(Correction("move", camera_id="hall", track_id=2, since=3.0, to=1))
    assert world.owners() == {"gate1": 1, "hall2": 2, "hall2@3": 1}
    world.do(Correction("move", camera_id="hall", track_id=2))
    assert world.owners() == {"gate1": 1, "hall2": 4, "hall2@3": 1}
    world.do(back(2))
    assert world.owners() == {"gate1": 1, "hall2": 2, "hall2@3": 1}


def test_an_undo_leaves_what_later_corrections_say() -> None:
    world = World(GATE, HALL, LATER)
    world.do(merge(2, 1))
    world.do(Correction("move", camera_id="hall", track_id=2, to=3))
    world.do(back(1))
    assert world.owners()["hall2"] == 3
    # The move alone is left: without it the track is whose it was before both.
    world.do(back(2))
    assert world.owners()["hall2"] == 2


def test_what_was_cut_off_follows_its_track_once_the_split_is_undone() -> None:
    world = World(GATE, replace(HALL, global_id=1), LATER)
    world.do(split(1, 3.0))
    world.do(merge(1, 3))
    assert world.owners() == {"gate1": 3, "hall2": 3, "hall2@3": 4, "gate3": 3}
    world.do(back(1))
    assert set(world.owners().values()) == {3}
    world.do(back(2))
    assert world.owners() == {"gate1": 1, "hall2": 1, "hall2@3": 1, "gate3": 3}


def test_the_undo_of_a_split_takes_along_what_was_given_to_the_new_person_since() -> None:
    world = World(GATE, replace(HALL, global_id=1))
    world.do(split(1, 2.0))
    world.parts[LATER.key] = replace(LATER, global_id=2)
    world.do(back(1))
    assert set(world.owners().values()) == {1}


def test_an_automatic_decision_after_an_undo_is_what_the_next_undo_gives_back() -> None:
    world = World(GATE, HALL, LATER)
    world.do(merge(2, 1))
    world.do(back(1))
    world.parts[HALL.key] = replace(HALL, global_id=3)
    world.do(Correction("move", camera_id="hall", track_id=2, to=1))
    world.do(back(3))
    assert world.owners()["hall2"] == 3


def test_free_parts_are_those_that_no_other_correction_holds() -> None:
    world = World(GATE, HALL, LATER)
    world.do(merge(2, 1))
    world.do(merge(1, 3))
    assert undo(world.history, 2, world.parts.values()).free == {GATE.key}


def test_two_at_one_time_in_one_camera_are_found_and_in_two_cameras_not() -> None:
    beside = Part("gate", 9, None, 0.5, 2.0, 2)
    assert together([GATE, beside], 1, 2) == (GATE, beside)
    assert together([GATE, replace(beside, camera_id="hall")], 1, 2) is None
    # One ends when the other begins.
    assert together([GATE, replace(beside, start=1.0)], 1, 2) is None


def test_a_merged_person_keeps_the_name_of_either() -> None:
    def named(one: int, name: str, number: int) -> Correction:
        return Correction("name", number=number, global_id=one, name=name)

    history = [named(2, "Anna", 1), replace(merge(2, 1), number=2)]
    assert names(history) == {1: "Anna"}
    assert names([*history, Correction("undo", number=3, undoes=2)]) == {2: "Anna"}
    assert names([named(1, "Ben", 0), *history]) == {1: "Ben"}
    assert names([*history, named(1, "", 3)]) == {}
