"""Corrections by people: merge two people, split one, move a track, name a person, undo.

`apply` turns a correction into new owners of parts of tracks, and `undo` takes one back. Both are
pure, so the association of a running site and a run that has ended decide the same.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from trackers.tracklet import TrackletKey

Kind = Literal["merge", "split", "move", "name", "undo"]
#: The kind of an identity event that a person made.
CORRECTED = "corrected"
#: Camera, track and ``since`` of a part of a track, as of a `Decision`.
PartKey = tuple[str, int, float | None]


@dataclass(frozen=True, slots=True)
class Part:
    """What a track shows from ``since`` on (None: from its beginning): the person ``global_id``.

    It was seen from ``start`` to ``end``, seconds UTC.
    """

    camera_id: str
    track_id: int
    since: float | None
    start: float
    end: float
    global_id: int

    @property
    def key(self) -> PartKey:
        """Camera, track and ``since``."""
        return self.camera_id, self.track_id, self.since


@dataclass(frozen=True, slots=True)
class Change:
    """A part of a track that was the person ``before`` is ``after``.

    ``cut`` says that the part begins with this change: without it, it belongs to the one before it.
    """

    camera_id: str
    track_id: int
    since: float | None
    before: int
    after: int
    cut: bool = False

    @property
    def key(self) -> PartKey:
        """Camera, track and ``since``."""
        return self.camera_id, self.track_id, self.since


@dataclass(frozen=True, slots=True)
class Correction:
    """One correction, made by ``by`` at ``at``, seconds UTC; ``number`` counts from 1, 0 is none.

    - merge: ``global_id`` is ``into``; ``anyway`` although both were seen at one time
    - split: what ``global_id`` is from ``moment`` (seconds UTC) on, in ``camera_id`` if given, is
      another person, ``new_id``
    - move: ``track_id`` of ``camera_id`` is ``to`` (None: a new person, ``new_id``); of a track
      that shows several people the part that begins ``since``
    - name: ``global_id`` is called ``name``; an empty one removes the name
    - undo: the correction ``undoes`` is taken back

    ``event_time`` is the moment of event time at which it took effect, and ``changes`` what it did.
    """

    kind: Kind
    by: str = ""
    at: float = 0.0
    number: int = 0
    global_id: int | None = None
    into: int | None = None
    anyway: bool = False
    moment: float | None = None
    camera_id: str | None = None
    track_id: int | None = None
    since: float | None = None
    to: int | None = None
    name: str | None = None
    undoes: int | None = None
    new_id: int | None = None
    event_time: float | None = None
    changes: tuple[Change, ...] = ()

    @property
    def people(self) -> set[int]:
        """The global ids that are concerned."""
        named = {self.global_id, self.into, self.to, self.new_id}
        changed = {one for change in self.changes for one in (change.before, change.after)}
        return {one for one in named if one is not None} | changed

    @property
    def reason(self) -> str:
        """The reason in the identity events of its changes."""
        return f"correction {self.number}: {self.text}"

    @property
    def needs_new_id(self) -> bool:
        """Whether it makes a new person."""
        return self.kind == "split" or (self.kind == "move" and self.to is None)

    @property
    def track(self) -> TrackletKey | None:
        """Camera and track id of a move."""
        if self.camera_id is None or self.track_id is None:
            return None
        return self.camera_id, self.track_id

    @property
    def text(self) -> str:
        """What was done, in words."""
        match self.kind:
            case "merge":
                return f"{self.global_id} is the same person as {self.into}"
            case "split":
                where = f" in {self.camera_id}" if self.camera_id else ""
                return f"{self.global_id} is another person, {self.new_id}, from then on{where}"
            case "move":
                to = self.to if self.to is not None else f"a new person, {self.new_id}"
                return f"track {self.track_id} of {self.camera_id} is {to}"
            case "name":
                return (
                    f"{self.global_id} is called {self.name}"
                    if self.name
                    else (f"{self.global_id} has no name")
                )
            case "undo":
                return f"correction {self.undoes} is undone"


def apply(correction: Correction, parts: Iterable[Part], new_id: int) -> Correction:
    """``correction`` with the changes that it makes of ``parts``, those of the people concerned.

    ``new_id`` is the global id of a new person, if one is needed.
    """
    if correction.kind not in ("merge", "split", "move"):
        return correction
    if correction.needs_new_id:
        correction = replace(correction, new_id=new_id)
    ordered = sorted(parts, key=lambda part: (part.start, part.camera_id, part.track_id))
    return replace(correction, changes=tuple(_changes(correction, ordered)))


def _changes(correction: Correction, parts: Sequence[Part]) -> Iterator[Change]:
    for part in parts:
        after, cut = _owner_by(correction, part)
        if after != part.global_id:
            since = correction.moment if cut else part.since
            yield Change(part.camera_id, part.track_id, since, part.global_id, after, cut)


def _owner_by(correction: Correction, part: Part) -> tuple[int, bool]:
    """Whose ``part`` is then, or its rest, which is cut off."""
    match correction:
        case Correction(kind="merge", global_id=global_id, into=int(into)):
            return into if part.global_id == global_id else part.global_id, False
        case Correction(kind="split", global_id=global_id, moment=float(moment), new_id=int(new)):
            there = correction.camera_id in (None, part.camera_id)
            if part.global_id == global_id and there and part.end >= moment:
                return new, part.start < moment
        case Correction(kind="move", to=to, new_id=new):
            if correction.track == part.key[:2] and correction.since == part.since:
                target = new if to is None else to
                return part.global_id if target is None else target, False
    return part.global_id, False


def together(parts: Iterable[Part], one: int, other: int) -> tuple[Part, Part] | None:
    """The first parts that show two people in one camera at one time; None without any."""
    theirs = [part for part in parts if part.global_id == one]
    for part in sorted(parts, key=lambda part: part.start):
        if part.global_id != other:
            continue
        for mine in theirs:
            at_once = min(mine.end, part.end) > max(mine.start, part.start)
            if mine.camera_id == part.camera_id and at_once:
                return mine, part
    return None


def names(history: Sequence[Correction]) -> dict[int, str]:
    """The names of people after all corrections; a merged person keeps the name of either."""
    found: dict[int, str] = {}
    for correction in active(history):
        match correction:
            case Correction(kind="name", global_id=int(global_id), name=str(name)):
                found[global_id] = name
            case Correction(kind="merge", global_id=int(gone), into=int(into)):
                name = found.pop(gone, "")
                found[into] = found.get(into) or name
    return {global_id: name for global_id, name in sorted(found.items()) if name}


def undone(history: Iterable[Correction]) -> dict[int, int]:
    """By the number of each correction that was undone: the number of the undo."""
    return {c.undoes: c.number for c in history if c.undoes is not None}


def active(history: Sequence[Correction]) -> list[Correction]:
    """The corrections that are in force, in order."""
    gone = undone(history)
    return [c for c in history if c.kind != "undo" and c.number not in gone]


@dataclass(frozen=True, slots=True)
class Undo:
    """The ``changes`` that take a correction back, and the parts that are ``free`` again: what was
    decided on them automatically counts, and may be decided again."""

    changes: tuple[Change, ...]
    free: frozenset[PartKey]


def undo(history: Sequence[Correction], number: int, parts: Iterable[Part]) -> Undo:
    """Take back the correction ``number`` of ``history``, and nothing else.

    ``parts`` are the parts now, of all tracks that it changed and of the person that it made. A
    part that a later correction changed stays as that one says.
    """
    gone = next(c for c in history if c.number == number)
    rest = [c for c in active(history) if c.number != number]
    corrected = {change.key: change for c in rest for change in c.changes}
    base = _bases(history)
    now = {part.key: part for part in parts}
    owners: dict[PartKey, int] = {}
    free = {change.key for change in gone.changes} - corrected.keys()
    for change in gone.changes:
        later = corrected.get(change.key)
        owners[change.key] = base[change.key] if later is None else later.after
    for key, part in now.items():
        if part.global_id == gone.new_id and key not in corrected and key not in owners:
            owners[key] = gone.changes[0].before
    cuts = {change.key for c in history for change in c.changes if change.cut}
    for key in sorted((cuts & now.keys()) - corrected.keys(), key=_moment):
        owners[key] = _enclosing(key, owners, now, default=now[key].global_id)
    found = [
        Change(*key, now[key].global_id, owner)
        for key, owner in owners.items()
        if key in now and now[key].global_id != owner
    ]
    return Undo(tuple(found), frozenset(free))


def _bases(history: Iterable[Correction]) -> dict[PartKey, int]:
    """Whose each corrected part was automatically."""
    found: dict[PartKey, int] = {}
    held: dict[PartKey, set[int]] = {}
    made: dict[int, Correction] = {}
    for correction in history:
        made[correction.number] = correction
        if correction.undoes is not None:
            for change in made[correction.undoes].changes if correction.undoes in made else ():
                held[change.key].discard(correction.undoes)
            continue
        for change in correction.changes:
            if not held.setdefault(change.key, set()):
                found[change.key] = change.before
            held[change.key].add(correction.number)
    return found


def _enclosing(
    key: PartKey, owners: Mapping[PartKey, int], now: Mapping[PartKey, Part], default: int
) -> int:
    """The owner of the part before ``key`` on its track."""
    before = [other for other in now if other[:2] == key[:2] and _moment(other) < _moment(key)]
    nearest = max(before, key=_moment, default=None)
    return default if nearest is None else owners.get(nearest, now[nearest].global_id)


def _moment(key: PartKey) -> float:
    return -math.inf if key[2] is None else key[2]
