"""Forgets a person permanently, in the run directory and in the running site."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec

from pipeline.bus import forgetting
from pipeline.bus.streams import Bus
from pipeline.config.schema import RetentionConfig
from pipeline.errors import UserError, writing
from pipeline.recorder.camera_times import times_at
from pipeline.recorder.forget import (
    ForgetResult,
    ForgottenPerson,
    blur_in_videos,
    find_person,
    remove_leftovers,
    remove_person,
    videos_with,
)
from pipeline.recorder.retention import Retention
from pipeline.run_directory.durable import BusyError, exclusive_writer
from pipeline.run_directory.progress import RecorderProgress, read_progress
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.rewriting import Removed
from pipeline.run_directory.selection import EVERYTHING, Selection

_POLL_S = 0.1

T = TypeVar("T")


def ask_site(
    bus: Bus,
    global_id: int,
    timeout_s: float,
    clock: Callable[[], float] = time.monotonic,
) -> Removed:
    """Request a running site to forget a person; returns what its recorder removed.

    Raises UserError when the site does not answer within ``timeout_s`` seconds of ``clock``, and
    when it does not know the person.
    """
    forgetting.request(bus, global_id)
    reply = _wait(lambda: forgetting.confirmation(bus, global_id), timeout_s, clock)
    if reply is None:
        raise UserError(_no_answer(bus, global_id, timeout_s))
    result = msgspec.json.decode(reply, type=ForgetResult)
    if result.fault:
        raise UserError(result.fault)
    return Removed(result.removed)


def ask_associator(
    bus: Bus,
    global_id: int,
    timeout_s: float,
    clock: Callable[[], float] = time.monotonic,
) -> bool:
    """Request a site without a recorder to forget a person; returns whether an associator did."""
    forgetting.request(bus, global_id)
    return bool(_wait(lambda: global_id not in forgetting.requested(bus) or None, timeout_s, clock))


def _wait(poll: Callable[[], T | None], timeout_s: float, clock: Callable[[], float]) -> T | None:
    deadline, pause = clock() + timeout_s, threading.Event()
    while (found := poll()) is None and clock() < deadline:
        pause.wait(_POLL_S)
    return found


def _no_answer(bus: Bus, global_id: int, timeout_s: float) -> str:
    missing = "associator" if global_id in forgetting.requested(bus) else "recorder"
    return (
        f"no {missing} of site {bus.site} at {bus.address} answered within {timeout_s:g} s, so "
        f"identity {global_id} is not forgotten yet: it will be once one is running. Expected a "
        "running site; check it and run the command again"
    )


@dataclass(frozen=True, slots=True)
class SiteAddress:
    """Redis address and name of a site; None is replaced by the values in the run directory.

    ``timeout_s`` limits the wait for an answer, in seconds.
    """

    redis: str | None = None
    site: str | None = None
    timeout_s: float = 30.0


@dataclass(frozen=True, slots=True)
class ForgetOutcome:
    """What was removed, and notes for the user."""

    removed: Removed
    notes: list[str] = field(default_factory=list)


def forget_person(
    folder: Path, global_id: int, site: SiteAddress, selection: Selection = EVERYTHING
) -> ForgetOutcome:
    """Remove a person from the run directory ``folder`` and from the site that records it.

    A running recorder removes the data itself. With a ``selection`` only that part is removed, and
    the person stays known. Raises UserError when the person is unknown, the site does not answer,
    the folder cannot be written, and for a part of a folder that is being recorded.
    """
    run = RunDirectory(folder, selection)
    try:
        with _writing(folder, f"identity {global_id} is not completely forgotten"):
            with exclusive_writer(folder):
                return _in_folder(run, global_id, site)
    except BusyError as error:
        if not selection.is_everything:
            raise UserError(
                f"{folder} is being recorded: a part of a person can be removed once its recorder "
                "has ended. Expected --identity without --since, --until and --camera"
            ) from error
        return _by_recorder(folder, global_id, site)


def forget_person_dry_run(
    folder: Path, global_id: int, selection: Selection = EVERYTHING
) -> ForgetOutcome:
    """What `forget_person` would remove of the data recorded so far; nothing is changed.

    Raises UserError when the person is unknown.
    """
    run = RunDirectory(folder, selection)
    person = find_person(run, global_id)
    removed = remove_person(run, person, dry=True)
    removed["videos blurred"] = len(videos_with(run, person.parts))
    try:
        with exclusive_writer(folder):
            removed += remove_leftovers(folder, dry=True)
    except BusyError:
        # Partial files are still being written by the running recorder.
        pass
    return ForgetOutcome(+removed)


def remove_expired(
    folder: Path, retention: RetentionConfig, wall: Callable[[], float]
) -> ForgetOutcome:
    """Remove data older than ``retention`` allows from a finished run.

    ``wall`` returns seconds UTC. Raises UserError when a recorder is running, which does this
    itself, and when no limit is set.
    """
    if retention.shortest_s is None:
        raise UserError(
            f"no retention limit is set for {folder}: expected one under retention in --config "
            "SITE.yaml or in the run's own config.yaml"
        )
    RunDirectory(folder)
    with (
        _writing(folder, "expired data is not completely removed"),
        exclusive_writer(folder),
    ):
        sweep = Retention(folder, retention)
        removed = sweep.remove(times_at(folder, wall()))
        return ForgetOutcome(removed, sweep.faults)


def _in_folder(run: RunDirectory, global_id: int, site: SiteAddress) -> ForgetOutcome:
    """Without a running recorder: remove the data here and notify a running associator."""
    if not run.selection.is_everything:
        note = f"the rest of identity {global_id} stays, also in a running site"
        return ForgetOutcome(_remove(run, find_person(run, global_id)), [note])
    progress = read_progress(run.path)
    bus, notes = _running_site(progress, site)
    if bus is None:
        return ForgetOutcome(_remove(run, find_person(run, global_id)), notes)
    with bus:
        removed = _remove(run, find_person(run, global_id))
        if ask_associator(bus, global_id, site.timeout_s):
            notes.append("the site has forgotten the person too; no recorder is running")
        else:
            notes.append(
                f"no associator answered within {site.timeout_s:g} s: the site will forget the "
                "person once one is running"
            )
        return ForgetOutcome(removed, notes)


def _remove(run: RunDirectory, person: ForgottenPerson) -> Removed:
    # Videos first: the boxes to blur are in the tables.
    removed: Removed = Counter({"videos blurred": blur_in_videos(run, person.parts)})
    removed += remove_person(run, person)
    return +(removed + remove_leftovers(run.path))


def _by_recorder(folder: Path, global_id: int, site: SiteAddress) -> ForgetOutcome:
    progress = read_progress(folder)
    url, name = site.redis or progress.redis, site.site or progress.site
    if not url or not name:
        raise UserError(
            f"{folder} is being recorded by a running site of unknown address: give --config "
            "SITE.yaml, or --redis URL and --site NAME"
        )
    with Bus(url, name) as bus:
        return ForgetOutcome(ask_site(bus, global_id, site.timeout_s))


def _running_site(progress: RecorderProgress, site: SiteAddress) -> tuple[Bus | None, list[str]]:
    """The streams of the run if they still exist, and notes if that is unknown."""
    url, name = site.redis or progress.redis, site.site or progress.site
    if progress.finished or not progress.run:
        return None, []
    if not url or not name:
        return None, [
            "this run did not finish: if its site is still running, give --redis URL, or the site "
            "may record the person again"
        ]
    try:
        bus = Bus(url, name)
    except UserError:
        if site.redis is not None:
            raise
        # The embedded Redis of the run ended with it.
        return None, []
    if bus.run() == progress.run:
        return bus, []
    bus.close()
    return None, []


def _writing(folder: Path, consequence: str) -> AbstractContextManager[None]:
    return writing(
        f"to {folder}",
        f"Expected a writable folder with free space; {consequence}: run the command again",
    )
