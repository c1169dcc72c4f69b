"""What tests of the command line share."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

FPS = 10


@dataclass(frozen=True)
class Outcome:
    """How a command ended: exit code and what it said."""

    code: int
    out: str
    err: str


#: Runs `fusetrack ARGUMENTS`.
Command = Callable[..., Outcome]

#: Zones and lines that cannot be where only gate is a camera, as YAML, and what is said of them.
IMPOSSIBLE_PLACES = [
    ("zones: {z: {camera: gate, points: [[0, 0], [9, 9]]}}", "three different corners, got 2"),
    (
        "zones: {z: {camera: gate, points: [[0, 0], [9, 9], [9, 0], [0, 9]]}}",
        "does not cross itself",
    ),
    (
        "zones: {z: {camera: gate, points: [[900, 0], [990, 0], [990, 9]]}}",
        "zones.z is outside the picture of camera gate",
    ),
    ("lines: {d: {camera: gate, points: [[5, 5], [5, 5]]}}", "a line with a length"),
    ("lines: {d: {camera: cellar, points: [[0, 0], [5, 5]]}}", "lines.d names camera cellar"),
]


@contextmanager
def killed_at_the_end() -> Iterator[list[subprocess.Popen[str]]]:
    """A list for processes, which are killed after the block."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.communicate()


def recorded_walk(path: Path, frames: int, cameras: int = 2) -> Path:
    """Recorded detections of one person who walks to and fro in front of each camera."""
    frame = np.tile(np.arange(frames), cameras)
    left = 100.0 + np.abs(frame % 400 - 200)
    columns = {
        "camera_id": np.repeat([f"cam{camera}" for camera in range(cameras)], frames),
        **{"frame_index": frame, "timestamp": frame / FPS},
        **{"x1": left, "y1": 100.0, "x2": left + 50, "y2": 250.0, "score": 0.9},
    }
    pl.DataFrame(columns).write_parquet(path)
    return path
