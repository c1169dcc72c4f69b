"""Corrections of a run that no recorder writes to: into its identity events and corrections."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pyarrow as pa

from pipeline.corrections.check import check
from pipeline.corrections.known import KnownPeople
from pipeline.errors import writing
from pipeline.run_directory.corrections import Corrections, read_corrections, write_corrections
from pipeline.run_directory.durable import exclusive_writer
from pipeline.run_directory.layout import check_contained
from pipeline.run_directory.schema import IDENTITIES, conform
from pipeline.run_directory.segments import last_position, write_segment
from trackers.association.corrections import CORRECTED, Change, Correction, apply, undo
from trackers.association.decision import CONFIRMED


def correct_finished(
    folder: Path, wanted: Correction, clock: Callable[[], float], *, seen: int | None = None
) -> Correction:
    """Make a correction in a run directory; returns it with its number and its changes.

    ``clock`` returns seconds UTC. Raises CorrectionError when it cannot be made, BusyError while a
    recorder is running, and UserError for a damaged run directory or one that cannot be written.
    """
    with (
        writing(f"to {folder}", "Expected a writable folder with free space; make it again"),
        exclusive_writer(folder),
    ):
        check_contained(folder)
        made = _completed(folder, read_corrections(folder))
        people = KnownPeople(folder)
        parts = check(wanted, seen, made.history, people)
        highest = max([people.highest_id(), *(max(c.people, default=0) for c in made.history)])
        correction = apply(wanted, parts, highest + 1)
        if wanted.undoes is not None:
            back = undo(made.history, wanted.undoes, parts)
            correction = replace(correction, changes=back.changes)
        correction = replace(
            correction, at=clock(), number=made.last + 1, event_time=people.latest()
        )
        made = made.with_correction(correction, pending=True)
        write_corrections(folder, made)
        _completed(folder, made)
        return correction


def _completed(folder: Path, made: Corrections) -> Corrections:
    """Write the identity events of pending corrections, again if need be: the last ones count."""
    for correction in made.history:
        if correction.number in made.pending and correction.changes:
            events = [event_row(correction, change) for change in correction.changes]
            rows = pa.Table.from_pylist(events, pa.schema([IDENTITIES.field(n) for n in events[0]]))
            position = last_position(folder / "identities") or ""
            write_segment(folder / "identities", conform(rows, IDENTITIES), position)
    if made.pending:
        made = msgspec.structs.replace(made, pending=())
        write_corrections(folder, made)
    return made


def event_row(correction: Correction, change: Change) -> dict[str, object]:
    """The identity event of a change, as in `schema.IDENTITIES`."""
    return {
        "camera_id": change.camera_id,
        "track_id": change.track_id,
        "global_id": change.after,
        "confidence": 1.0,
        "kind": CORRECTED,
        "reason": correction.reason,
        "at": correction.event_time,
        "since": change.since,
        "state": CONFIRMED,
    }
