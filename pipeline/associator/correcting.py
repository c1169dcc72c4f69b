"""Makes the corrections that people request, between two moments of event time."""

import math
from dataclasses import replace

from pipeline.associator.checkpoint import Meta
from pipeline.bus.correcting import CorrectionReply
from pipeline.bus.messages import CorrectMessage
from trackers.association.association import Association
from trackers.association.corrections import CORRECTED, Correction, Part, apply
from trackers.association.decision import CONFIRMED, Decision


def make(
    request: CorrectMessage, association: Association, meta: Meta, at: float
) -> CorrectionReply:
    """Make a correction after the moment ``at`` was decided, unless something has happened since it
    was checked.
    """
    if _is_stale(request, association, meta, at):
        return CorrectionReply()
    wanted = request.correction
    parts = _parts(request, association)
    made = apply(wanted, parts, association.next_global_id)
    made = replace(made, number=max(meta.last_correction, request.known) + 1, event_time=at)
    association.correct(made, request.free)
    meta.last_correction = made.number
    meta.corrected.update(dict.fromkeys(made.people, made.number))
    return CorrectionReply(made)


def _is_stale(request: CorrectMessage, association: Association, meta: Meta, at: float) -> bool:
    """Whether something has happened to the people since the request was checked."""
    if not math.isfinite(at):
        return True
    people = {*request.correction.people, *(part.global_id for part in request.parts)}
    if any(meta.corrected.get(one, 0) > request.known for one in people):
        return True
    if request.correction.undoes is not None and meta.last_correction > request.known:
        return True
    oldest = at - association.rules.gallery_s
    gone = [one for one, seen in request.last_seen.items() if seen >= oldest]
    fixed = association.people.fixed
    return any(one not in association.identities and not fixed.has_person(one) for one in gone)


def _parts(request: CorrectMessage, association: Association) -> list[Part]:
    """The parts of the people concerned: as they are now, and as recorded of forgotten tracks."""
    known = association.parts()
    tracks = {part.key[:2] for part in known}
    return [*known, *(part for part in request.parts if part.key[:2] not in tracks)]


def decisions_of(made: Correction) -> list[Decision]:
    """The decision on each part that a correction changed."""
    return [
        Decision(change.key[:2], change.after, 1.0, CORRECTED, made.reason, change.since, CONFIRMED)
        for change in made.changes
    ]
