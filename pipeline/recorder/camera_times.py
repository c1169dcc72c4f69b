"""What time it is on the clock of each camera of a run."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.run_directory.progress import read_cameras, read_progress
from pipeline.run_directory.schema import CameraRecord

_LIVE = ("rtcp", "arrival")

Times = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CameraTimes:
    """The time ``own`` of each camera on its own clock and that on the ``wall``, seconds UTC.

    ``written`` is when the file of the rows that are judged was written, on the wall.
    """

    own: dict[str, float]
    wall: float
    written: float = np.inf

    def of(self, camera_id: str) -> float:
        """The time of a camera; of one without a record, the latest that is not in the future."""
        if camera_id in self.own:
            return self.own[camera_id]
        return max((t for t in self.own.values() if t <= self.wall), default=-np.inf)

    def at(self, camera_id: str, time: float) -> float:
        """The time by which a row of a camera with this ``time`` is judged.

        A clock that is in the future, for good or for a moment, says nothing about the age of rows
        from before that.
        """
        own = self.of(camera_id)
        return own if time > self.wall else min(own, self.wall)

    def expired(
        self, cameras: pa.DictionaryArray, times: Times, limit_s: float
    ) -> NDArray[np.bool_]:
        """Mask ``(N,)`` of the rows with these ``cameras`` and ``times`` older than ``limit_s``."""
        now, times = self._own(cameras), self.judged(cameras, times)
        now = np.where(times > self.wall, now, np.minimum(now, self.wall))
        return np.asarray(times < now - limit_s)

    def judged(self, cameras: pa.DictionaryArray, times: Times) -> Times:
        """The ``times`` ``(N,)`` from which rows age: the file's where a clock was wrong.

        That is so in the future, when the clock of the camera is no longer there.
        """
        wrong = (times > self.wall) & (times > self._own(cameras))
        return np.where(wrong, self.written, times)

    def _own(self, cameras: pa.DictionaryArray) -> Times:
        indices = np.asarray(cameras.indices.to_numpy(zero_copy_only=False))
        own = np.array([self.of(name) for name in cameras.dictionary.to_pylist()], np.float64)
        return own[indices] if len(own) else np.zeros(0)


class CameraClocks:
    """The clocks of the cameras of a run being recorded.

    A camera's time is that of its latest frame; in a live camera without new frames, time elapsed
    on ``wall`` (seconds UTC) is added. ``reached`` is when each latest frame came, on the wall.
    """

    def __init__(self, wall: Callable[[], float], reached: dict[str, float]) -> None:
        self._wall = wall
        self._ends: dict[str, float] = {}
        self.reached = dict(reached)

    def now(self, cameras: Iterable[CameraRecord]) -> CameraTimes:
        """The current times."""
        wall, own = self._wall(), {}
        for camera in cameras:
            if not camera.frames:
                continue
            name = camera.camera_id
            # After a restart the first record is the one that was written before.
            if self._ends.get(name, camera.end) != camera.end or name not in self.reached:
                self.reached[name] = wall
            self._ends[name] = camera.end
            waited = max(wall - self.reached[name], 0.0) if _is_live(camera) else 0.0
            own[name] = camera.end + waited
        return CameraTimes(own, wall)


def times_at(folder: Path, wall: float) -> CameraTimes:
    """The times of a finished run at wall-clock time ``wall``, seconds UTC.

    They are those of the latest frames plus the time since these were recorded. Raises UserError
    when the run directory is damaged.
    """
    reached, own = read_progress(folder).reached, {}
    for camera in read_cameras(folder):
        if camera.frames:
            # Version 1 did not say when; a live camera's frame was recorded when it was taken.
            written = camera.end if _is_live(camera) else _written(folder)
            since = max(wall - reached.get(camera.camera_id, written), 0.0)
            own[camera.camera_id] = camera.end + since
    return CameraTimes(own, wall)


def _written(folder: Path) -> float:
    return (folder / "cameras.json").stat().st_mtime


def _is_live(camera: CameraRecord) -> bool:
    return camera.timestamp_origin in _LIVE
