"""Whether a correction can be made, and what has happened meanwhile if not."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime

from pipeline.corrections.known import KnownPeople
from pipeline.errors import UserError
from trackers.association.corrections import Correction, Part, active, together, undone

_LONGEST_NAME = 100
_NEEDED = {
    "merge": "two global ids: of the person to merge, and of the one to merge into",
    "split": "a global id and a moment, from which on it is another person",
    "move": "a camera and the track id of a track of it",
    "name": "a global id and a name",
    "undo": "the number of a correction",
}


class CorrectionError(UserError):
    """A correction that cannot be made.

    ``status`` is that of an answer over HTTP: 400 for what makes no sense, 404 for what never was,
    409 for what has changed meanwhile; then ``now`` is who the person is now, if known.
    """

    def __init__(self, reason: str, status: int, now: int | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.now = now


def check(
    wanted: Correction, seen: int | None, history: Sequence[Correction], people: KnownPeople
) -> list[Part]:
    """The parts of tracks that ``wanted`` is about; raises CorrectionError when it cannot be made.

    ``seen`` is the last correction that the editor knew, None for all of ``history``.
    """
    match wanted:
        case Correction(kind="undo", undoes=int(number)):
            undoes, parts = _undone_parts(number, history, people)
            _check_seen(seen, undoes.people, history)
            return parts
        case Correction(kind="name", global_id=int(global_id), name=str(name)):
            parts = _known_parts([global_id], people)
            _check_name(name)
        case Correction(kind="merge", global_id=int(global_id), into=int(into)):
            if global_id == into:
                raise CorrectionError(f"{into} cannot be merged with itself", 400)
            parts = _known_parts([global_id, into], people)
            _check_apart(wanted, parts)
        case Correction(kind="split", global_id=int(global_id), moment=float(moment)):
            parts = _known_parts([global_id], people)
            _check_inside(wanted, moment, parts)
        case Correction(kind="move", track=(camera_id, track_id), to=to):
            parts = _moved_parts(wanted, camera_id, track_id, people)
            if to is not None:
                parts = [*parts, *(p for p in _known_parts([to], people) if p not in parts)]
        case _:
            raise CorrectionError(f"expected {_NEEDED[wanted.kind]}", 400)
    _check_seen(seen, wanted.people | _moved_from(wanted, parts), history)
    return parts


def _known_parts(global_ids: Sequence[int], people: KnownPeople) -> list[Part]:
    parts = people.parts_of(global_ids)
    for global_id in global_ids:
        if not any(part.global_id == global_id for part in parts):
            raise _missing(global_id, people)
    return parts


def _missing(global_id: int, people: KnownPeople) -> CorrectionError:
    if global_id > people.highest_id():
        return CorrectionError(f"unknown identity {global_id}: no person had this id", 404)
    tracks = people.tracks_once([global_id])
    owners = sorted({part.global_id for part in people.parts_of_tracks(tracks)})
    if not owners:
        return CorrectionError(
            f"identity {global_id} is no longer in the run: the person was forgotten, or the data "
            "has expired",
            409,
        )
    now = owners[0] if len(owners) == 1 else None
    return CorrectionError(
        f"there is no identity {global_id} any more: what was {global_id} is "
        f"{' and '.join(map(str, owners))} now",
        409,
        now,
    )


def _check_name(name: str) -> None:
    if len(name) > _LONGEST_NAME or not (name.isprintable() and name == name.strip()):
        raise CorrectionError(
            f"expected a name of at most {_LONGEST_NAME} printable characters, without spaces at "
            "its ends, or none to remove it",
            400,
        )


def _check_apart(wanted: Correction, parts: list[Part]) -> None:
    assert wanted.global_id is not None
    assert wanted.into is not None
    found = together(parts, wanted.global_id, wanted.into)
    if found is not None and not wanted.anyway:
        one, other = found
        seconds = min(one.end, other.end) - max(one.start, other.start)
        raise CorrectionError(
            f"{wanted.global_id} and {wanted.into} were seen in {one.camera_id} at one time, as "
            f"one person cannot be (tracks {one.track_id} and {other.track_id}, {seconds:.1f} s). "
            "Merge them anyway if one of the tracks is false",
            409,
        )


def _check_inside(wanted: Correction, moment: float, parts: list[Part]) -> None:
    if not math.isfinite(moment):
        raise CorrectionError("expected a moment in seconds UTC", 400)
    if wanted.camera_id is not None:
        parts = [part for part in parts if part.camera_id == wanted.camera_id]
        if not parts:
            raise CorrectionError(f"{wanted.global_id} was not seen in {wanted.camera_id}", 400)
    first, last = min(part.start for part in parts), max(part.end for part in parts)
    # With a camera, all that it saw may be another person.
    too_early = moment < first if wanted.camera_id is not None else moment <= first
    if too_early or moment > last:
        raise CorrectionError(
            f"nothing is split at {_date(moment)}: {wanted.global_id} was seen from {_date(first)} "
            f"to {_date(last)}. Expected a moment between",
            400,
        )


def _date(moment: float) -> str:
    try:
        date = datetime.fromtimestamp(moment, UTC)
    except (ValueError, OverflowError):
        return f"{moment:g} s"
    return date.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _moved_parts(
    wanted: Correction, camera_id: str, track_id: int, people: KnownPeople
) -> list[Part]:
    parts = people.parts_of_tracks([(camera_id, track_id)])
    if not parts:
        raise CorrectionError(
            f"unknown track {track_id} of camera {camera_id!r}: no decision was made on it", 404
        )
    found = [part for part in parts if part.since == wanted.since]
    if not found:
        known = ", ".join("null" if p.since is None else f"{p.since!r}" for p in parts)
        raise CorrectionError(
            f"track {track_id} of {camera_id} has no part since {wanted.since!r}: expected one of "
            f"{known}",
            409,
        )
    if found[0].global_id == wanted.to:
        raise CorrectionError(
            f"track {track_id} of {camera_id} is {wanted.to} already", 409, wanted.to
        )
    return found


def _moved_from(wanted: Correction, parts: list[Part]) -> set[int]:
    return {part.global_id for part in parts} if wanted.kind == "move" else set()


def _check_seen(seen: int | None, people: set[int], history: Sequence[Correction]) -> None:
    later = [c for c in history if seen is not None and c.number > seen and c.people & people]
    if later:
        last = later[-1]
        raise CorrectionError(
            f"{last.by or 'another editor'} has corrected the same people meanwhile (correction "
            f"{last.number}: {last.text}). Look again, and make yours if it is still right",
            409,
        )


def _undone_parts(
    number: int, history: Sequence[Correction], people: KnownPeople
) -> tuple[Correction, list[Part]]:
    """A correction, all parts of the tracks that it changed, and those of whom it made."""
    found = next((c for c in history if c.number == number), None)
    if found is None:
        raise CorrectionError(
            f"unknown correction {number}: it never was, or was of a person who was forgotten", 404
        )
    if found.kind == "undo":
        raise CorrectionError(
            f"correction {number} is an undo: make correction {found.undoes} again instead", 400
        )
    if found not in active(history):
        raise CorrectionError(
            f"correction {number} is undone already, by correction {undone(history)[number]}", 409
        )
    tracks = {change.key[:2] for change in found.changes}
    if found.new_id is not None:
        tracks |= people.tracks_once([found.new_id])
    return found, people.parts_of_tracks(tracks)
