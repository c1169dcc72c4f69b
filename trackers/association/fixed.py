"""What was corrected: parts of tracks and tracklets on which nothing is decided automatically."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from trackers.association.corrections import Change, Part, PartKey
from trackers.tracklet import TrackletKey


class Fixed:
    """Which corrections hold which tracklets and walks, and whose each corrected part is.

    A tracklet that is held keeps its person: those of one person stay together, and those of two
    are never joined.
    """

    def __init__(self) -> None:
        self._holds: dict[TrackletKey, set[int]] = {}
        self._parts: dict[PartKey, int] = {}
        self._cuts: set[PartKey] = set()
        self._kept: dict[int, dict[PartKey, int]] = {}

    def __contains__(self, key: object) -> bool:
        """Whether a tracklet or walk is held."""
        return key in self._holds

    def owner(self, key: PartKey) -> int | None:
        """Whose a corrected or kept part is; None for any other."""
        if key in self._parts:
            return self._parts[key]
        kept = [parts[key] for _, parts in sorted(self._kept.items()) if key in parts]
        return kept[-1] if kept else None

    def has_person(self, global_id: int) -> bool:
        """Whether a corrected part is this person's."""
        return global_id in self._parts.values()

    def hold(self, number: int, keys: Iterable[TrackletKey]) -> None:
        """Hold tracklets and walks because of a correction."""
        for key in keys:
            self._holds.setdefault(key, set()).add(number)

    def set_parts(self, changes: Iterable[Change]) -> None:
        """Set whose parts are."""
        for change in changes:
            self._parts[change.key] = change.after
            if change.cut:
                self._cuts.add(change.key)

    def keep(self, number: int, parts: Mapping[PartKey, int]) -> None:
        """Keep whose parts are that a correction left alone, in a track or walk that it changed."""
        self._kept[number] = dict(parts)

    def release(self, number: int, free: Iterable[PartKey]) -> None:
        """Take back the holds of a correction; parts that are ``free`` may be decided again."""
        for key, numbers in [*self._holds.items()]:
            numbers.discard(number)
            if not numbers:
                del self._holds[key]
        self._kept.pop(number, None)
        for part in free:
            self._parts.pop(part, None)

    def following(self, key: TrackletKey, since: float | None, until: float) -> list[float]:
        """Where a track was cut from ``since`` to before ``until``, and the rest is free again: it
        belongs to the part before it.
        """
        first = -math.inf if since is None else since
        cuts = sorted(at for *track, at in self._cuts if tuple(track) == key and at is not None)
        within = [at for at in cuts if first < at < until]
        free = [at for at in within if self.owner((*key, at)) is None]
        held = min((at for at in within if at not in free), default=math.inf)
        return [at for at in free if at < held]

    def drop(self, keys: Iterable[TrackletKey]) -> None:
        """Forget tracklets, walks, and the parts of tracks."""
        gone = {*keys}
        for key in gone:
            self._holds.pop(key, None)
        self._parts = {part: owner for part, owner in self._parts.items() if part[:2] not in gone}
        self._cuts = {part for part in self._cuts if part[:2] not in gone}
        kept = {
            n: {p: o for p, o in parts.items() if p[:2] not in gone}
            for n, parts in self._kept.items()
        }
        self._kept = {number: parts for number, parts in kept.items() if parts}

    def overlaid(self, parts: Iterable[Part]) -> list[Part]:
        """``parts`` as automatically decided, with what was corrected, by track and time."""
        tracks: dict[TrackletKey, list[Part]] = {}
        for part in parts:
            tracks.setdefault(part.key[:2], []).append(part)
        found: list[Part] = []
        for track, known in sorted(tracks.items()):
            cuts = {key for key in self._cuts if key[:2] == track} - {part.key for part in known}
            found += self._cut(sorted(known, key=lambda part: part.start), cuts)
        return found

    def _cut(self, known: list[Part], cuts: set[PartKey]) -> list[Part]:
        """The parts of one track, cut where a correction cut them."""
        found = [*known]
        for camera_id, track_id, since in cuts:
            if since is not None and any(part.start < since <= part.end for part in known):
                end = next(part.end for part in known if part.start < since <= part.end)
                found.append(Part(camera_id, track_id, since, since, end, 0))
        ordered = sorted(found, key=lambda part: part.start)
        whole = zip(ordered, [*(part.start for part in ordered[1:]), None], strict=True)
        result: list[Part] = []
        for part, following in whole:
            # What was cut off and is free again is of the person before it.
            owner = self.owner(part.key) or part.global_id or result[-1].global_id
            end = part.end if following is None else min(part.end, following)
            result.append(Part(*part.key, part.start, end, owner))
        return result

    def memory(self) -> list[Any]:
        """What a restart needs, as numbers, text and lists."""
        holds = [[*key, sorted(numbers)] for key, numbers in sorted(self._holds.items())]
        parts = [[*key, owner] for key, owner in self._parts.items()]
        kept = [[n, [[*key, owner] for key, owner in own.items()]] for n, own in self._kept.items()]
        return [holds, parts, sorted(map(list, self._cuts)), kept]

    def remember(self, memory: Any) -> None:
        """Restore what `memory` returned."""
        holds, parts, cuts, kept = memory
        self._kept = {number: {(*key,): owner for *key, owner in own} for number, own in kept}
        self._cuts = {(camera_id, track, since) for camera_id, track, since in cuts}
        self._holds = {(camera_id, number): {*held} for camera_id, number, held in holds}
        self._parts = {(camera_id, track, since): owner for camera_id, track, since, owner in parts}
