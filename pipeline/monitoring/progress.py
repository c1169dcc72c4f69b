"""What a run tells while it works: a live table, JSON events, or nothing."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Literal, TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table

ProgressMode = Literal["table", "json", "quiet"]

_EVENT_EVERY_S = 1.0


def counted(people: int) -> str:
    """``people`` as a person says it."""
    return "1 person" if people == 1 else f"{people} people"


class Tally:
    """Frames and people so far, for each camera; told by several threads."""

    def __init__(self, camera_ids: list[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = clock()
        self._lock = threading.Lock()
        self._frames = dict.fromkeys(camera_ids, 0)
        self._first: dict[str, tuple[float, int]] = {}
        self._owners: dict[str, dict[int, int]] = {camera_id: {} for camera_id in camera_ids}

    def on_frames(self, camera_id: str, frames: int) -> None:
        """``frames`` of this camera are processed."""
        with self._lock:
            self._first.setdefault(camera_id, (self._clock(), frames))
            self._frames[camera_id] = frames

    def on_decision(self, camera_id: str, track_id: int, global_id: int) -> None:
        """From now on this track of this camera is that person."""
        with self._lock:
            # An associator may hear of cameras that its configuration does not name.
            self._owners.setdefault(camera_id, {})[track_id] = global_id

    def elapsed_s(self) -> float:
        """Seconds since the run began."""
        return self._clock() - self._started

    def rows(self) -> list[tuple[str, int, float, int]]:
        """For each camera: name, frames, frames a second, people so far."""
        with self._lock:
            return [
                (camera_id, frames, self._speed(camera_id), self._people_of(camera_id))
                for camera_id, frames in self._frames.items()
            ]

    def _speed(self, camera_id: str) -> float:
        """Frames a second since the first were done: loading the models is not the camera's."""
        if camera_id not in self._first:
            return 0.0
        since, before = self._first[camera_id]
        elapsed = self._clock() - since
        return (self._frames[camera_id] - before) / elapsed if elapsed > 0 else 0.0

    def _people_of(self, camera_id: str) -> int:
        return len(set(self._owners.get(camera_id, {}).values()))

    def people(self) -> int:
        """Different people so far, over all cameras."""
        with self._lock:
            return len({p for owners in self._owners.values() for p in owners.values()})

    def event(self, kind: str) -> dict[str, object]:
        """The tally as a JSON event."""
        cameras = {
            camera_id: {"frames": frames, "frames_per_s": round(speed, 2), "people": people}
            for camera_id, frames, speed, people in self.rows()
        }
        return {"event": kind, "people": self.people(), "cameras": cameras}

    def table(self) -> Table:
        """The tally to look at."""
        table = Table("camera", "frames", "frames/s", "people", title=counted(self.people()))
        for camera_id, frames, speed, people in self.rows():
            table.add_row(camera_id, str(frames), f"{speed:.1f}", str(people))
        return table


@contextmanager
def shown(tally: Tally, mode: ProgressMode, stream: TextIO | None = None) -> Iterator[None]:
    """Show the tally while the block runs: a live table on stderr, or JSON lines on stdout."""
    if mode == "table":
        console = Console(stderr=True)
        with Live(get_renderable=tally.table, console=console, refresh_per_second=4):
            yield
    elif mode == "json":
        with _events(tally, stream or sys.stdout):
            yield
    else:
        yield


def write_event(event: dict[str, object], stream: TextIO | None = None) -> None:
    """One JSON object on one line, at once."""
    out = stream or sys.stdout
    # Whoever listened may have left; the run goes on.
    with suppress(BrokenPipeError):
        out.write(json.dumps(event) + "\n")
        out.flush()


@contextmanager
def _events(tally: Tally, stream: TextIO) -> Iterator[None]:
    done = threading.Event()

    def tell() -> None:
        while not done.wait(_EVENT_EVERY_S):
            write_event(tally.event("progress"), stream)

    teller = threading.Thread(target=tell, name="progress", daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()
        write_event(tally.event("progress"), stream)
