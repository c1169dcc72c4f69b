"""The recorder: reads all streams and writes the run directory, segment by segment.

A message is acknowledged after the segment that holds it was renamed into place, and each segment
remembers the last message in it. So nothing is lost, and what Redis delivers again after a crash is
recognised and written once.
"""

import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa

from pipeline.bus.keys import IDENTITIES, OBSERVATIONS, RECORDER, TRACKLETS
from pipeline.bus.messages import (
    CameraMessage,
    EndMessage,
    IdentityMessage,
    ObservationsMessage,
    TrackletMessage,
    tracklet_of,
    unpack,
)
from pipeline.bus.streams import Bus, Delivery
from pipeline.errors import UserError
from pipeline.run_directory import schema
from pipeline.run_directory.cameras import read_cameras, write_cameras
from pipeline.run_directory.segments import last_position, write_segment

_BLOCK_S = 0.2
# Once no more will come: is there anything left?
_DRAIN_S = 0.001
_STREAMS = (OBSERVATIONS, TRACKLETS, IDENTITIES)
# A segment is closed early when this many messages wait, so that memory stays bounded.
_MOST_MESSAGES = 5_000


class Recorder:
    """Writes what happens into ``folder`` until no identity will come and all is recorded.

    ``clock`` gives seconds that only move forward; a segment is closed every ``segment_s``.
    Raises UserError when ``folder`` holds a damaged part of a run.
    """

    def __init__(
        self, bus: Bus, folder: Path, segment_s: float, clock: Callable[[], float]
    ) -> None:
        self._bus = bus
        self._folder = folder
        self._segment_s = segment_s
        self._clock = clock
        self._cameras = {camera.camera_id: camera for camera in read_cameras(folder)}
        self._identities_ended = False
        self._open: list[Delivery] = []
        self._positions: dict[Path, tuple[int, int]] = {}

    def run(self, stop: threading.Event, consumer: str = "1") -> None:
        """Work until all has ended, or ``stop`` is set; what was read is written in any case.

        Raises UserError when the disk is full, the folder cannot be written or Redis is lost.
        """
        try:
            for stream in _STREAMS:
                self._take(self._bus.claim(RECORDER, consumer, stream))
            self._work(stop, consumer)
        finally:
            # Even without Redis: should it come back, what is on disk is recognised.
            self.close_segments()

    def _work(self, stop: threading.Event, consumer: str) -> None:
        closed_at = self._clock()
        while not stop.is_set():
            block_s = _DRAIN_S if self._identities_ended else _BLOCK_S
            fresh = self._bus.read(RECORDER, consumer, _STREAMS, block_s)
            # The end is sent after all the rest, but streams are read side by side.
            if self._identities_ended and not fresh:
                return
            self._take(fresh)
            overdue = self._clock() - closed_at >= self._segment_s
            if overdue or len(self._open) >= _MOST_MESSAGES:
                self.close_segments()
                closed_at = self._clock()

    def close_segments(self) -> None:
        """Write what is open as closed segments, then acknowledge it."""
        if not self._open:
            return
        try:
            for folder, deliveries in self._by_folder().items():
                self._write(folder, deliveries)
            write_cameras(self._folder, self._cameras.values())
        except OSError as error:
            raise UserError(
                f"cannot write to {self._folder}: {error.strerror or error}. Everything up to the "
                f"last closed segment can be read; {len(self._open)} messages after it are not "
                "recorded"
            ) from error
        self._bus.commit(RECORDER, self._open)
        self._open = []

    def _take(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            if isinstance(delivery.message, EndMessage):
                # Never acknowledged: a recorder that starts again must hear of it again.
                self._identities_ended = True
                continue
            self._open.append(delivery)
            if isinstance(delivery.message, CameraMessage):
                camera = delivery.message.camera
                self._cameras[camera.camera_id] = camera

    def _by_folder(self) -> dict[Path, list[Delivery]]:
        folders: dict[Path, list[Delivery]] = {}
        for delivery in self._open:
            folder = self._folder_of(delivery)
            if folder is not None and _place(delivery) > self._position(folder):
                folders.setdefault(folder, []).append(delivery)
        return folders

    def _folder_of(self, delivery: Delivery) -> Path | None:
        match delivery.message:
            case ObservationsMessage():
                return self._folder / "observations" / f"camera={delivery.message.camera_id}"
            case TrackletMessage(closed=True):
                return self._folder / "tracklets"
            case IdentityMessage():
                return self._folder / "identities"
            case _:
                return None

    def _position(self, folder: Path) -> tuple[int, int]:
        if folder not in self._positions:
            position = last_position(folder)
            self._positions[folder] = _parse(position) if position else (0, 0)
        return self._positions[folder]

    def _write(self, folder: Path, deliveries: list[Delivery]) -> None:
        last = max(deliveries, key=_place)
        tables = [_table(delivery) for delivery in sorted(deliveries, key=_place)]
        write_segment(folder, pa.concat_tables(tables), last.entry_id)
        self._positions[folder] = _place(last)


def _table(delivery: Delivery) -> pa.Table:
    match delivery.message:
        case ObservationsMessage() as message:
            return _observations(message)
        case TrackletMessage() as message:
            return pa.Table.from_pylist([_tracklet(message)], schema.TRACKLETS)
        case message:
            return pa.Table.from_pylist([msgspec.to_builtins(message)], schema.IDENTITIES)


def _observations(message: ObservationsMessage) -> pa.Table:
    boxes = unpack(message.boxes)
    columns = {
        "frame_index": unpack(message.frame_index),
        "timestamp": unpack(message.timestamp),
        "track_id": unpack(message.track_id),
        **{name: boxes[:, i] for i, name in enumerate(("x1", "y1", "x2", "y2"))},
        "score": unpack(message.scores),
    }
    ground = None if message.ground is None else unpack(message.ground)
    for i, name in enumerate(("ground_x", "ground_y")):
        values = np.full(len(boxes), np.nan) if ground is None else ground[:, i]
        columns[name] = pa.array(values, mask=~np.isfinite(values))
    return pa.table(columns, schema=schema.OBSERVATIONS)


def _tracklet(message: TrackletMessage) -> dict[str, object]:
    tracklet = tracklet_of(message)
    return {
        "camera_id": tracklet.camera_id,
        "track_id": tracklet.track_id,
        "start": tracklet.start,
        "end": tracklet.end,
        "n": tracklet.count,
        "embedding": _mean_exemplar(tracklet.exemplars, tracklet.qualities),
        "quality": float(tracklet.qualities.max(initial=0.0)),
        "thumbnail": message.thumbnail,
    }


def _mean_exemplar(exemplars: np.ndarray, qualities: np.ndarray) -> list[float] | None:
    if not len(exemplars):
        return None
    mean = np.average(exemplars, axis=0, weights=np.maximum(qualities, 1e-3))
    return [float(value) for value in mean / max(np.linalg.norm(mean), 1e-12)]


def _place(delivery: Delivery) -> tuple[int, int]:
    return _parse(delivery.entry_id)


def _parse(entry_id: str) -> tuple[int, int]:
    milliseconds, sequence = entry_id.split("-")
    return int(milliseconds), int(sequence)
