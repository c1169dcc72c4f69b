"""Asking the site that is at work to forget somebody, and waiting until its recorder says so."""

import math
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from pipeline.bus.messages import ForgetMessage
from pipeline.bus.streams import Bus
from pipeline.errors import UserError
from pipeline.privacy.derived import Removed
from pipeline.recorder.forget import Person, find, forget
from pipeline.recorder.forgotten import Part
from pipeline.run_directory.reader import RunDirectory
from trackers.tracklet import TrackletKey

_POLL_S = 0.1

T = TypeVar("T")


class Answer(msgspec.Struct):
    """What a recorder removed, or why it could not find anything."""

    removed: dict[str, int] = {}
    fault: str = ""


def forget_recorded(folder: Path, asked: ForgetMessage) -> tuple[Answer, list[Part]]:
    """What a recorder does when somebody is to be forgotten; all before ``asked`` is on disk.

    Returns its answer, and the parts of tracks of which something may still come. Raises OSError,
    and UserError for a damaged run directory.
    """
    run = RunDirectory(folder)
    before = math.nextafter(asked.at, math.inf)
    known = _tracks(run)
    # Somebody took them out of the folder while nobody recorded.
    unknown = [Part(*key, before=before) for key in asked.tracks if key not in known]
    try:
        person = find(run, asked.global_id)
    except UserError as error:
        if not unknown:
            return Answer(fault=str(error)), []
        person = Person(asked.global_id, [])
    parts = [*(part.until(before) for part in person.parts), *unknown]
    removed = forget(run, Person(person.global_id, [*person.parts, *unknown], person.shared))
    return Answer(dict(removed)), parts


def ask_site(
    bus: Bus,
    global_id: int,
    timeout_s: float,
    clock: Callable[[], float] = time.monotonic,
) -> Removed:
    """What the recorder of the site removed of somebody.

    Raises UserError when nobody answers within ``timeout_s`` seconds of ``clock``, and when the
    site does not know them.
    """
    bus.ask_to_forget(global_id)
    said = _wait(lambda: bus.forgotten(global_id), timeout_s, clock)
    if said is None:
        raise UserError(_silence(bus, global_id, timeout_s))
    answer = msgspec.json.decode(said, type=Answer)
    if answer.fault:
        raise UserError(answer.fault)
    return Removed(answer.removed)


def ask_associator(
    bus: Bus,
    global_id: int,
    timeout_s: float,
    clock: Callable[[], float] = time.monotonic,
) -> bool:
    """Ask the site, where nobody records; returns whether an associator has taken it up."""
    bus.ask_to_forget(global_id)
    return bool(_wait(lambda: global_id not in bus.asked_to_forget() or None, timeout_s, clock))


def _wait(look: Callable[[], T | None], timeout_s: float, clock: Callable[[], float]) -> T | None:
    deadline, pause = clock() + timeout_s, threading.Event()
    while (found := look()) is None and clock() < deadline:
        pause.wait(_POLL_S)
    return found


def _silence(bus: Bus, global_id: int, timeout_s: float) -> str:
    missing = "associator" if global_id in bus.asked_to_forget() else "recorder"
    return (
        f"no {missing} of site {bus.site} at {bus.place} answered within {timeout_s:g} s, so "
        f"identity {global_id} is not forgotten yet: it will be as soon as one is at work. "
        "Expected a site that runs; look at it and ask again"
    )


def _tracks(run: RunDirectory) -> set[TrackletKey]:
    rows = run.identities().select("camera_id", "track_id").unique().iter_rows()
    return {(camera_id, track_id) for camera_id, track_id in rows}
