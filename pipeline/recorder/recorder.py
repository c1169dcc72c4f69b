"""The recorder: reads all streams and writes the run directory, segment by segment.

A message is acknowledged after the segment that holds it was renamed into place. What comes again,
because it was sent twice or delivered twice, is recognised by sender and number: those that are
done are in the folder's recorder.json, and each segment names those that are in it already.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pyarrow as pa

from pipeline.bus import backpressure, forgetting
from pipeline.bus.entries import Delivery
from pipeline.bus.keys import IDENTITIES, OBSERVATIONS, RECORDER, TRACKLETS
from pipeline.bus.messages import (
    CameraMessage,
    EndMessage,
    ForgetMessage,
    IdentityMessage,
    Message,
    ObservationsMessage,
    TrackletMessage,
)
from pipeline.bus.order import Numbers, Resequencer, advance, sender_of
from pipeline.bus.streams import Bus
from pipeline.config.schema import RetentionConfig
from pipeline.errors import UserError
from pipeline.monitoring.watch import Watch
from pipeline.recorder.forget import forget_recorded
from pipeline.recorder.forgotten import Forgotten
from pipeline.recorder.retention import Retention, RunClock
from pipeline.recorder.rows import observations_table, rows_of
from pipeline.run_directory.progress import (
    read_cameras,
    read_progress,
    write_cameras,
    write_progress,
)
from pipeline.run_directory.rewriting import Removed, removed_text
from pipeline.run_directory.segments import last_position, next_number, write_segment

_BLOCK_S = 0.2
# Once no more will come: is there anything left?
_DRAIN_S = 0.001
_STREAMS = (OBSERVATIONS, TRACKLETS, IDENTITIES)
# A segment is closed early when this many messages wait, so that memory stays bounded.
_MOST_MESSAGES = 5_000

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Folder:
    """A table: what is in place but not yet noted as done, and the number of its next segment."""

    written: Numbers
    number: int


class Recorder:
    """Writes what happens into ``folder`` until no identity will come and all is recorded.

    ``clock`` gives seconds that only move forward; a segment is closed every ``segment_s``. What
    is older than ``retention`` allows is removed. Somebody who is to be forgotten is removed at
    that point of the stream, and what still comes of them is not recorded.
    Raises UserError when ``folder`` holds a damaged part of a run.
    """

    def __init__(
        self,
        bus: Bus,
        folder: Path,
        segment_s: float,
        clock: Callable[[], float],
        watch: Watch | None = None,
        retention: RetentionConfig | None = None,
    ) -> None:
        self._bus = bus
        self._watch = watch or Watch()
        self._folder = folder
        self._segment_s = segment_s
        self._clock = clock
        self._cameras = {camera.camera_id: camera for camera in read_cameras(folder)}
        self._identities_ended = False
        self._open: list[tuple[Delivery, pa.Table | None]] = []
        # On disk, or nothing to write: to be acknowledged.
        self._receipts: list[Delivery] = []
        self._progress = read_progress(folder)
        self._forgotten = Forgotten(self._progress.forgotten)
        self._resequencer = Resequencer(self._progress.taken)
        self._retention = Retention(folder, retention or RetentionConfig())
        self._now = RunClock(clock)
        self._folders: dict[Path, _Folder] = {}

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
        self._expire(self._retention.remove)

    def _work(self, stop: threading.Event, consumer: str) -> None:
        closed_at = self._clock()
        while not stop.is_set():
            self._watch.step("recorder")
            block_s = _DRAIN_S if self._identities_ended else _BLOCK_S
            fresh = self._bus.read(RECORDER, consumer, _STREAMS, block_s)
            # The end is sent after all the rest, but streams are read side by side.
            if self._identities_ended and not fresh:
                return
            self._take(fresh)
            overdue = self._clock() - closed_at >= self._segment_s
            if overdue or len(self._open) >= _MOST_MESSAGES:
                self.close_segments()
                self._expire(self._retention.remove_when_due)
                closed_at = self._clock()

    def close_segments(self) -> None:
        """Write what is open as closed segments, then acknowledge it."""
        done = [delivery for delivery, _ in self._open]
        if not done and not self._receipts:
            return
        try:
            for folder, rows in self._by_folder().items():
                self._write(folder, rows)
            if done:
                write_cameras(self._folder, self._cameras.values())
                advance(self._progress.taken, done)
                write_progress(self._folder, self._progress)
                for table in self._folders.values():
                    table.written = {}
        except OSError as error:
            raise UserError(
                f"cannot write to {self._folder}: {error.strerror or error}. Everything up to the "
                f"last closed segment can be read; {len(done)} messages after it are not recorded"
            ) from error
        # If Redis is lost now, what is on disk must not be written once more.
        self._open, self._receipts = [], [*self._receipts, *done]
        self._watch.recorded += len(done)
        self._bus.commit(RECORDER, self._receipts)
        self._receipts = []
        backpressure.trim(self._bus)

    def _expire(self, remove: Callable[[float], Removed]) -> None:
        """Remove what was kept for long enough, after all that is in it was noted as done."""
        with _fault_named(self._folder, "What is too old is still in it"):
            removed = remove(self._now.now(self._cameras.values()))
        if removed:
            _log.info("retention: removed %s", removed_text(removed))

    def _forget(self, delivery: Delivery, asked: ForgetMessage) -> None:
        """Remove a person, in the order in which it was asked: before it comes what is theirs."""
        self.close_segments()
        with _fault_named(self._folder, f"Identity {asked.global_id} is not forgotten"):
            answer, parts = forget_recorded(self._folder, asked)
        self._forgotten.clear(asked.at)
        self._forgotten.add(parts)
        self._progress.forgotten = self._forgotten.parts
        self._open.append((delivery, None))
        self.close_segments()
        tracks = {part.key for part in parts}
        forgetting.confirm(self._bus, asked.global_id, msgspec.json.encode(answer), tracks)
        if answer.removed:
            _log.info("forgot a person: removed %s", removed_text(Removed(answer.removed)))

    def _take(self, deliveries: list[Delivery]) -> None:
        ready, repeated = self._resequencer.accept(deliveries)
        self._receipts += repeated
        for delivery in ready:
            if isinstance(delivery.message, EndMessage):
                # Never acknowledged: a recorder that starts again must hear of it again.
                self._identities_ended = True
                continue
            if isinstance(delivery.message, ForgetMessage):
                self._forget(delivery, delivery.message)
                continue
            self._open.append(self._with_table(delivery))
            if isinstance(delivery.message, CameraMessage):
                camera = delivery.message.camera
                self._cameras[camera.camera_id] = camera

    def _with_table(self, delivery: Delivery) -> tuple[Delivery, pa.Table | None]:
        """The rows of a message; one that makes none is put aside."""
        try:
            return delivery, self._left_of(delivery.message)
        except (pa.ArrowException, ValueError, OverflowError) as error:
            return delivery.faulty(str(error)), None

    def _left_of(self, message: Message | None) -> pa.Table | None:
        """The rows of a message without what is forgotten."""
        match message:
            case ObservationsMessage():
                rows = observations_table(message)
                return self._forgotten.observations(message.camera_id, rows)
            case TrackletMessage(closed=True):
                left = self._forgotten.tracklet(message)
                if left is not message and message.thumbnail is not None:
                    # It may show what is forgotten.
                    (self._folder / message.thumbnail).unlink(missing_ok=True)
                return rows_of(left)
            case _:
                return rows_of(message)

    def _by_folder(self) -> dict[Path, list[tuple[Delivery, pa.Table]]]:
        folders: dict[Path, list[tuple[Delivery, pa.Table]]] = {}
        for delivery, table in self._open:
            folder = self._folder_of(delivery)
            if folder is not None and table is not None:
                if delivery.number > self._at(folder).written.get(sender_of(delivery), 0):
                    folders.setdefault(folder, []).append((delivery, table))
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

    def _at(self, folder: Path) -> _Folder:
        if folder not in self._folders:
            position = last_position(folder)
            written = _numbers(position, folder) if position else {}
            self._folders[folder] = _Folder(written, next_number(folder))
        return self._folders[folder]

    def _write(self, folder: Path, rows: list[tuple[Delivery, pa.Table]]) -> None:
        at = self._at(folder)
        written = dict(at.written)
        advance(written, (delivery for delivery, _ in rows))
        position = msgspec.json.encode(written).decode()
        write_segment(folder, pa.concat_tables([table for _, table in rows]), position, at.number)
        self._folders[folder] = _Folder(written, at.number + 1)


def _numbers(position: str, folder: Path) -> Numbers:
    try:
        return msgspec.json.decode(position, type=dict[str, int])
    except msgspec.DecodeError as error:
        raise UserError(
            f"{folder} was not written by this version of fusetrack: {error}. Give --out a new "
            "folder"
        ) from error


@contextmanager
def _fault_named(folder: Path, consequence: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"cannot write to {folder}: {error.strerror or error}. {consequence}; free some space "
            "and start the recorder again"
        ) from error
