"""Corrections of a running site: its associator makes them, and its recorder writes them down."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pipeline.bus import correcting
from pipeline.bus.correcting import CorrectionReply
from pipeline.bus.messages import CorrectMessage
from pipeline.bus.streams import Bus
from pipeline.corrections.check import CorrectionError, check
from pipeline.corrections.known import KnownPeople, Recent
from pipeline.errors import UserError
from pipeline.run_directory.corrections import read_corrections
from trackers.association.corrections import Correction, undo

_POLL_S = 0.05


def correct_live(
    bus: Bus,
    folder: Path,
    wanted: Correction,
    clock: Callable[[], float],
    *,
    seen: int | None = None,
    recent: Callable[[], Recent | None] = lambda: None,
    timeout_s: float = 10.0,
    monotonic: Callable[[], float] = time.monotonic,
) -> Correction:
    """Have the site of ``bus``, recorded in ``folder``, make a correction; returns it.

    ``recent`` is what the caller knows that may not be recorded yet; ``clock`` returns seconds UTC.
    Raises CorrectionError when it cannot be made, and UserError when no associator or recorder
    answers in ``timeout_s`` seconds: it says whether the correction was made.
    """
    deadline, pause = monotonic() + timeout_s, threading.Event()
    while True:
        request = _request(folder, replace(wanted, at=clock()), seen, recent())
        entry_id = correcting.request(bus, request)
        reply: CorrectionReply | None = None
        while reply is None and monotonic() < deadline:
            reply = correcting.answer(bus, entry_id)
            pause.wait(0 if reply else _POLL_S)
        if reply is None and correcting.withdraw(bus, entry_id):
            raise UserError(
                f"no associator of site {bus.site} answered within {timeout_s:g} s: nothing was "
                "corrected. Expected a running site; check it and try again"
            )
        reply = reply or correcting.answer(bus, entry_id)
        if reply is not None and reply.correction is not None:
            break
        if monotonic() >= deadline:
            raise CorrectionError(
                "these people, or what is recorded of them, change all the time: nothing was "
                "corrected. Check that the recorder is running, look again and try again",
                409,
            )
        # The recorder has not written yet what the associator knows.
        pause.wait(_POLL_S)
    _wait_for_recorder(folder, reply.correction, lambda: monotonic() < deadline, pause)
    return reply.correction


def _request(
    folder: Path, wanted: Correction, seen: int | None, recent: Recent | None
) -> CorrectMessage:
    made, people = read_corrections(folder), KnownPeople(folder, recent)
    parts = check(wanted, seen, made.history, people)
    last_seen: dict[int, float] = {}
    for part in parts:
        last_seen[part.global_id] = max(part.end, last_seen.get(part.global_id, part.end))
    free: list[tuple[str, int, float | None]] = []
    if wanted.undoes is not None:
        back = undo(made.history, wanted.undoes, parts)
        wanted, free = replace(wanted, changes=back.changes), sorted(back.free, key=str)
    return CorrectMessage(wanted, made.last, parts, last_seen, free)


def _wait_for_recorder(
    folder: Path, made: Correction, goes_on: Callable[[], bool], pause: threading.Event
) -> None:
    """Wait until the correction is on the list, so that whoever made it finds it there."""
    while read_corrections(folder).last < made.number and goes_on():
        pause.wait(_POLL_S)
