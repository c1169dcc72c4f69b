"""Forgetting a person for good: in the run directory, and in the site where that is at work."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec

from pipeline.bus import forgetting
from pipeline.bus.streams import Bus
from pipeline.config.schema import RetentionConfig
from pipeline.errors import UserError
from pipeline.recorder.forget import (
    ForgetAnswer,
    ForgottenPerson,
    cover_in_videos,
    find,
    forget,
    remove_leftovers,
    videos_of,
)
from pipeline.recorder.retention import Retention, time_in
from pipeline.run_directory.durable import BusyError, exclusive_writer
from pipeline.run_directory.progress import RecorderProgress, read_progress
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.rewriting import Removed

_POLL_S = 0.1

T = TypeVar("T")


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
    forgetting.request(bus, global_id)
    said = _wait(lambda: forgetting.confirmation(bus, global_id), timeout_s, clock)
    if said is None:
        raise UserError(_silence(bus, global_id, timeout_s))
    answer = msgspec.json.decode(said, type=ForgetAnswer)
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
    forgetting.request(bus, global_id)
    return bool(_wait(lambda: global_id not in forgetting.requested(bus) or None, timeout_s, clock))


def _wait(look: Callable[[], T | None], timeout_s: float, clock: Callable[[], float]) -> T | None:
    deadline, pause = clock() + timeout_s, threading.Event()
    while (found := look()) is None and clock() < deadline:
        pause.wait(_POLL_S)
    return found


def _silence(bus: Bus, global_id: int, timeout_s: float) -> str:
    missing = "associator" if global_id in forgetting.requested(bus) else "recorder"
    return (
        f"no {missing} of site {bus.site} at {bus.place} answered within {timeout_s:g} s, so "
        f"identity {global_id} is not forgotten yet: it will be as soon as one is at work. "
        "Expected a site that runs; look at it and ask again"
    )


@dataclass(frozen=True, slots=True)
class SiteAddress:
    """Where a site can be asked; what is None is taken from the run directory.

    Nobody is waited for longer than ``timeout_s``.
    """

    redis: str | None = None
    site: str | None = None
    timeout_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was removed, and what else there is to know."""

    removed: Removed
    notes: list[str] = field(default_factory=list)


def forget_person(folder: Path, global_id: int, site: SiteAddress) -> Outcome:
    """Remove a person from the run directory ``folder``, and from the site that fills it.

    A recorder that is at work does it itself. Raises UserError when the run does not know them,
    when nobody answers, and when the folder cannot be written.
    """
    run = RunDirectory(folder)
    try:
        with _failures_named(folder, f"identity {global_id} is not wholly forgotten"):
            with exclusive_writer(folder):
                return _in_folder(run, global_id, site)
    except BusyError:
        return _at_work(folder, global_id, site)


def would_forget(folder: Path, global_id: int) -> Outcome:
    """What `forget_person` would remove of what is recorded by now; nothing is changed.

    Raises UserError when the run does not know them.
    """
    run = RunDirectory(folder)
    person = find(run, global_id)
    removed = forget(run, person, dry=True)
    removed["videos blurred"] = len(videos_of(run, person.parts))
    try:
        with exclusive_writer(folder):
            removed += remove_leftovers(folder, dry=True)
    except BusyError:
        # What is half written is being written.
        pass
    return Outcome(+removed)


def remove_expired(folder: Path, retention: RetentionConfig, wall: Callable[[], float]) -> Outcome:
    """Remove from a run that is over what is older than ``retention`` allows.

    ``wall`` gives seconds UTC. Raises UserError when a recorder is at work, which does it itself,
    and when no limit is set.
    """
    if retention.shortest_s is None:
        raise UserError(
            f"no limit is set for {folder}: expected one under retention in --config SITE.yaml or "
            "in the run's own config.yaml"
        )
    RunDirectory(folder)
    with _failures_named(folder, "what is too old is not wholly removed"), exclusive_writer(folder):
        return Outcome(Retention(folder, retention).remove(time_in(folder, wall())))


def _in_folder(run: RunDirectory, global_id: int, site: SiteAddress) -> Outcome:
    """Nobody records: all is done here, but for an associator that may be at work."""
    progress = read_progress(run.path)
    bus, notes = _site_at_work(progress, site)
    if bus is None:
        return Outcome(_remove(run, find(run, global_id)), notes)
    with bus:
        removed = _remove(run, find(run, global_id))
        if ask_associator(bus, global_id, site.timeout_s):
            notes.append("the site has forgotten them too; nobody records it now")
        else:
            notes.append(
                f"no associator answered within {site.timeout_s:g} s: it will forget them when one "
                "is at work"
            )
        return Outcome(removed, notes)


def _remove(run: RunDirectory, person: ForgottenPerson) -> Removed:
    # Where they are in the videos is in the tables.
    removed: Removed = Counter({"videos blurred": cover_in_videos(run, person.parts)})
    removed += forget(run, person)
    return +(removed + remove_leftovers(run.path))


def _at_work(folder: Path, global_id: int, site: SiteAddress) -> Outcome:
    progress = read_progress(folder)
    url, name = site.redis or progress.redis, site.site or progress.site
    if not url or not name:
        raise UserError(
            f"{folder} is being recorded, by a site that is to be asked: give --config SITE.yaml, "
            "or --redis URL and --site NAME"
        )
    with Bus(url, name) as bus:
        return Outcome(ask_site(bus, global_id, site.timeout_s))


def _site_at_work(progress: RecorderProgress, site: SiteAddress) -> tuple[Bus | None, list[str]]:
    """The streams of the run where they are still there, and what cannot be known of them."""
    url, name = site.redis or progress.redis, site.site or progress.site
    if progress.finished or not progress.run:
        return None, []
    if not url or not name:
        return None, [
            "this run did not come to its end: if its site is still at work, say where with "
            "--redis URL, or it may bring them back"
        ]
    try:
        bus = Bus(url, name)
    except UserError:
        if site.redis is not None:
            raise
        # Its own Redis has gone with it.
        return None, []
    if bus.run() == progress.run:
        return bus, []
    bus.close()
    return None, []


@contextmanager
def _failures_named(folder: Path, consequence: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"cannot write to {folder}: {error.strerror or error}. Expected a folder that can be "
            f"written, with space left; {consequence}: run the same again"
        ) from error
