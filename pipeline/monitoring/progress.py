"""Progress of a run: a live table, JSON events, or nothing."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from html import escape
from importlib import import_module
from typing import Any, Literal, TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table

from pipeline.background import in_background

ProgressMode = Literal["table", "notebook", "json", "quiet"]

_EVENT_EVERY_S = 1.0
# The identity of an older track of a camera changes no more.
_TRACKS = 1000


def people_text(people: int) -> str:
    """The number of people in words: "1 person", "2 people"."""
    return "1 person" if people == 1 else f"{people} people"


class Tally:
    """Frames and people of each camera so far, in bounded memory. Thread-safe."""

    def __init__(self, camera_ids: list[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = clock()
        self._lock = threading.Lock()
        self._frames = dict.fromkeys(camera_ids, 0)
        self._first: dict[str, tuple[float, int]] = {}
        self._identities: dict[str, dict[int, int]] = {camera_id: {} for camera_id in camera_ids}
        # The people of older tracks, as bits: one for each global id.
        self._older: dict[str, int] = {}

    def on_frames(self, camera_id: str, frames: int) -> None:
        """Set the number of processed frames of a camera."""
        with self._lock:
            self._first.setdefault(camera_id, (self._clock(), frames))
            self._frames[camera_id] = frames

    def on_decision(self, camera_id: str, track_id: int, global_id: int) -> None:
        """Set the global id of a track."""
        with self._lock:
            # An associator may receive cameras that its configuration does not name.
            tracks = self._identities.setdefault(camera_id, {})
            tracks[track_id] = global_id
            if len(tracks) > _TRACKS:
                person = tracks.pop(next(iter(tracks)))
                self._older[camera_id] = self._older.get(camera_id, 0) | 1 << person

    def elapsed_s(self) -> float:
        """Seconds since the start of the run."""
        return self._clock() - self._started

    def rows(self) -> list[tuple[str, int, float, int]]:
        """For each camera: name, frames, frames per second, people so far."""
        with self._lock:
            return [
                (camera_id, frames, self._speed(camera_id), self._people_of(camera_id))
                for camera_id, frames in self._frames.items()
            ]

    def _speed(self, camera_id: str) -> float:
        """Frames per second since the first ones, so that loading the models does not count."""
        if camera_id not in self._first:
            return 0.0
        since, before = self._first[camera_id]
        elapsed = self._clock() - since
        return (self._frames[camera_id] - before) / elapsed if elapsed > 0 else 0.0

    def _people_of(self, camera_id: str) -> int:
        recent = set(self._identities.get(camera_id, {}).values())
        return _count(recent, self._older.get(camera_id, 0))

    def people(self) -> int:
        """Number of global ids so far, over all cameras."""
        with self._lock:
            recent = {p for tracks in self._identities.values() for p in tracks.values()}
            older = 0
            for people in self._older.values():
                older |= people
            return _count(recent, older)

    def event(self, kind: str) -> dict[str, object]:
        """The tally as a JSON event."""
        cameras = {
            camera_id: {"frames": frames, "frames_per_s": round(speed, 2), "people": people}
            for camera_id, frames, speed, people in self.rows()
        }
        return {"event": kind, "people": self.people(), "cameras": cameras}

    def table(self) -> Table:
        """The tally as a table for the terminal."""
        table = Table("camera", "frames", "frames/s", "people", title=people_text(self.people()))
        for camera_id, frames, speed, people in self.rows():
            table.add_row(camera_id, str(frames), f"{speed:.1f}", str(people))
        return table

    def html(self) -> str:
        """The tally as a table for a notebook."""
        rows = "".join(
            f"<tr><td>{escape(camera_id)}</td><td>{frames}</td><td>{speed:.1f}</td>"
            f"<td>{people}</td></tr>"
            for camera_id, frames, speed, people in self.rows()
        )
        head = "<th>camera</th><th>frames</th><th>frames/s</th><th>people</th>"
        return (
            f"<table><caption>{people_text(self.people())}</caption><tr>{head}</tr>{rows}</table>"
        )


def _count(recent: set[int], older: int) -> int:
    return older.bit_count() + sum(not older >> person & 1 for person in recent)


def progress_mode(wanted: bool | None) -> ProgressMode:
    """How a program shows progress: None is a table where it is seen, in a terminal or notebook."""
    if wanted is False:
        return "quiet"
    if _in_notebook():
        return "notebook"
    return "table" if wanted or sys.stderr.isatty() else "quiet"


def _in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")


@contextmanager
def show_progress(tally: Tally, mode: ProgressMode, stream: TextIO | None = None) -> Iterator[None]:
    """Show the tally while the block runs: a live table on stderr or in the output of a notebook's
    cell, or JSON lines on stdout.
    """
    if mode == "notebook":
        with _in_cell(tally):
            yield
    elif mode == "table":
        console = Console(stderr=True)
        with Live(get_renderable=tally.table, console=console, refresh_per_second=4):
            yield
    elif mode == "json":
        with _events(tally, stream or sys.stdout):
            yield
    else:
        yield


def write_event(event: dict[str, object], stream: TextIO | None = None) -> None:
    """Write one JSON object on one line and flush."""
    out = stream or sys.stdout
    # The reader may have exited; the run continues.
    with suppress(BrokenPipeError):
        out.write(json.dumps(event) + "\n")
        out.flush()


@contextmanager
def _in_cell(tally: Tally) -> Iterator[None]:
    output: Any = import_module("IPython.display")
    shown = output.display(output.HTML(tally.html()), display_id=True)

    def update(done: threading.Event) -> None:
        while not done.wait(_EVENT_EVERY_S):
            shown.update(output.HTML(tally.html()))

    try:
        with in_background("progress", update):
            yield
    finally:
        shown.update(output.HTML(tally.html()))


@contextmanager
def _events(tally: Tally, stream: TextIO) -> Iterator[None]:
    def write_events(done: threading.Event) -> None:
        # A full disk behind the stream is reported by the last event.
        with suppress(OSError):
            while not done.wait(_EVENT_EVERY_S):
                write_event(tally.event("progress"), stream)

    try:
        with in_background("progress", write_events):
            yield
    finally:
        write_event(tally.event("progress"), stream)
