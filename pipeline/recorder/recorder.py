"""The recorder: reads all streams and writes the run directory, segment by segment.

A message is acknowledged after the segment that contains it was renamed into place. Messages sent
or delivered twice are recognised by sender and number: recorder.json holds the numbers processed
so far, and each segment holds those of its own messages.
"""

import errno
import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import msgspec
import pyarrow as pa

from pipeline.bus import backpressure, forgetting
from pipeline.bus.entries import Delivery
from pipeline.bus.keys import IDENTITIES, OBSERVATIONS, RECORDER, TRACKLETS
from pipeline.bus.messages import (
    CameraMessage,
    CorrectionMessage,
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
from pipeline.errors import UserError, writing
from pipeline.monitoring.watch import Watch
from pipeline.recorder.camera_times import CameraClocks, CameraTimes
from pipeline.recorder.compaction import Compaction
from pipeline.recorder.forget import ForgetResult, forget_recorded
from pipeline.recorder.forgotten import ForgottenParts
from pipeline.recorder.retention import Retention
from pipeline.recorder.rows import table_of
from pipeline.run_directory.camera_log import append_change, change_of
from pipeline.run_directory.corrections import read_corrections, write_corrections
from pipeline.run_directory.durable import make_folder
from pipeline.run_directory.layout import contained, observations_of
from pipeline.run_directory.progress import (
    read_cameras,
    read_progress,
    write_cameras,
    write_progress,
)
from pipeline.run_directory.rewriting import Removed, removed_text
from pipeline.run_directory.schema import CameraRecord, TrackPart
from pipeline.run_directory.segments import last_position, next_number, write_segment
from reid_model.atomic_file import replacing
from trackers.association.corrections import Correction

_BLOCK_S = 0.2
# Blocking time once the associator has ended and only remaining messages are read.
_DRAIN_S = 0.001
_STREAMS = (OBSERVATIONS, TRACKLETS, IDENTITIES)
# A segment is closed early at this many messages, to bound the memory.
_MOST_MESSAGES = 5_000
# Writing to a path fails like this however often it is tried; a full disk may be mended.
_NEVER_WRITABLE = (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ)

# Rows of a message that do not fit their table.
_UNFIT = (pa.ArrowException, ValueError, OverflowError)

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _TableState:
    """State of a table: messages written but not yet in recorder.json, and the next segment."""

    written: Numbers
    number: int


class Recorder:
    """Records a site into ``folder`` until the associator has ended and all is written.

    ``clock`` returns monotonic seconds, ``wall`` seconds UTC; a segment is closed every
    ``segment_s`` seconds. Data older
    than ``retention`` allows is removed. A person to be forgotten is removed at that point of the
    stream, and their later data is not recorded. Raises UserError when ``folder`` contains a
    damaged run.
    """

    def __init__(
        self,
        bus: Bus,
        folder: Path,
        segment_s: float,
        clock: Callable[[], float],
        watch: Watch | None = None,
        retention: RetentionConfig | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._bus = bus
        self._watch = watch or Watch()
        self._folder = folder
        self._segment_s = segment_s
        self._clock = clock
        self._cameras = {camera.camera_id: camera for camera in read_cameras(folder)}
        self._identities_ended = False
        self._open: list[Delivery] = []
        # Written, or without rows to write, and still to be acknowledged.
        self._unacknowledged: list[Delivery] = []
        self._progress = read_progress(folder)
        self._forgotten = ForgottenParts(self._progress.forgotten)
        self._resequencer = Resequencer(self._progress.taken)
        self._retention = Retention(folder, retention or RetentionConfig(), self._alive)
        self._clocks = CameraClocks(wall, self._progress.reached)
        self._compaction = Compaction(folder)
        self._tables: dict[Path, _TableState] = {}
        # Made, and not yet in the run directory.
        self._corrections: list[Correction] = []

    def run(self, stop: threading.Event, consumer: str = "1") -> None:
        """Record until the site has ended or ``stop`` is set; received messages are always written.

        Raises UserError when the disk is full, the folder cannot be written or Redis is lost.
        """
        try:
            for stream in _STREAMS:
                self._process(self._bus.claim(RECORDER, consumer, stream))
            self._loop(stop, consumer)
        finally:
            # Even without Redis: once it is back, messages already on disk are recognised.
            self.close_segments()
        self._expire(self._retention.remove)

    def _loop(self, stop: threading.Event, consumer: str) -> None:
        closed_at = self._clock()
        while not stop.is_set():
            self._watch.step("recorder")
            block_s = _DRAIN_S if self._identities_ended else _BLOCK_S
            fresh = self._bus.read(RECORDER, consumer, _STREAMS, block_s)
            # The end is sent last, but on another stream than the remaining messages.
            if self._identities_ended and not fresh:
                return
            self._process(fresh)
            overdue = self._clock() - closed_at >= self._segment_s
            if overdue or len(self._open) >= _MOST_MESSAGES:
                self.close_segments()
                self._expire(self._retention.remove_when_due)
                self._compaction.run(self._alive, self._clock)
                closed_at = self._clock()

    def _alive(self) -> None:
        """Report to the health check that long work goes on."""
        self._watch.step("recorder")

    def close_segments(self) -> None:
        """Write the open messages as closed segments, then acknowledge them."""
        if not self._open and not self._unacknowledged:
            return
        done: list[Delivery] = []
        try:
            unwritable = self._write_open()
            if self._corrections:
                self._write_corrections()
            done = [unwritable.get(_entry(delivery), delivery) for delivery in self._open]
            if done:
                write_cameras(self._folder, self._cameras.values())
                advance(self._progress.taken, done)
                self._clocks.now(self._cameras.values())
                self._progress.reached = self._clocks.reached
                write_progress(self._folder, self._progress)
                for table in self._tables.values():
                    table.written = {}
        except OSError as error:
            raise UserError(
                f"cannot write to {self._folder}: {error.strerror or error}. Everything up to the "
                f"last closed segment can be read; {len(self._open)} messages after it are not "
                "recorded"
            ) from error
        # If Redis is lost now, messages on disk must not be written again.
        self._open, self._unacknowledged = [], [*self._unacknowledged, *done]
        self._watch.recorded += len(done)
        self._bus.commit(RECORDER, self._unacknowledged)
        self._unacknowledged = []
        backpressure.trim(self._bus)

    def _expire(self, remove: Callable[[CameraTimes], Removed]) -> None:
        """Remove expired data; only after recorder.json covers all its messages."""
        with _writing(self._folder, "Expired data was not removed"):
            try:
                removed = remove(self._clocks.now(self._cameras.values()))
            except UserError as error:
                # It would end the recorder at each start.
                _log.error("%s. Expired data was not completely removed", error)
                return
        for fault in self._retention.faults:
            _log.error("%s", fault)
        if removed:
            _log.info("retention: removed %s", removed_text(removed))

    def _forget(self, delivery: Delivery, request: ForgetMessage) -> None:
        """Remove a person at this point of the stream, after all their earlier data is written."""
        self.close_segments()
        with _writing(self._folder, f"Identity {request.global_id} was not forgotten"):
            result, parts = self._removed(request)
        self._forgotten.expire(request.at)
        self._forgotten.add(parts)
        self._progress.forgotten = self._forgotten.parts
        self._open.append(delivery)
        self.close_segments()
        tracks = {part.key for part in parts}
        forgetting.confirm(self._bus, request.global_id, msgspec.json.encode(result), tracks)
        if result.removed:
            _log.info("forgot a person: removed %s", removed_text(Removed(result.removed)))

    def _removed(self, request: ForgetMessage) -> tuple[ForgetResult, list[TrackPart]]:
        try:
            return forget_recorded(self._folder, request, self._alive)
        except UserError as error:
            # A damaged segment must not end the recorder at each start; the requester is informed.
            _log.error("%s. Identity %d was not forgotten", error, request.global_id)
            return ForgetResult(fault=str(error)), []

    def _process(self, deliveries: list[Delivery]) -> None:
        ready, repeated = self._resequencer.accept(deliveries)
        self._unacknowledged += repeated
        for delivery in ready:
            if isinstance(delivery.message, EndMessage):
                # Never acknowledged: a restarted recorder must receive it again.
                self._identities_ended = True
                continue
            if isinstance(delivery.message, ForgetMessage):
                self._forget(delivery, delivery.message)
                continue
            kept = self._without_forgotten(delivery)
            self._write_thumbnail(kept.message)
            self._open.append(kept)
            if isinstance(delivery.message, CorrectionMessage):
                self._corrections.append(delivery.message.correction)
            if isinstance(delivery.message, CameraMessage):
                self._update_camera(delivery.message.camera, delivery.sent)
        if self._corrections:
            # Whoever made one looks at it at once.
            self.close_segments()

    def _update_camera(self, camera: CameraRecord, sent: float) -> None:
        change = change_of(self._cameras.get(camera.camera_id), camera, sent)
        if change is not None:
            with _writing(self._folder, "The states of cameras are not recorded"):
                append_change(self._folder, change)
        self._cameras[camera.camera_id] = camera

    def _write_corrections(self) -> None:
        """Add the new corrections to those of the run; again after a crash, which adds nothing."""
        new, self._corrections = self._corrections, []
        try:
            made = read_corrections(self._folder)
        except UserError as error:
            # Their identity events are written all the same.
            _log.error("%s. %d corrections are not on its list", error, len(new))
            return
        for correction in new:
            made = made.with_correction(correction, pending=False)
        write_corrections(self._folder, made)

    def _write_thumbnail(self, message: Message | None) -> None:
        """Write the thumbnail of a node that does not have this folder."""
        if not isinstance(message, TrackletMessage) or message.picture is None:
            return
        if message.thumbnail is None or self._forgotten.filter_tracklet(message) is not message:
            return
        path = contained(self._folder, message.thumbnail)
        with writing(path, "Free some space and restart the recorder"):
            make_folder(path.parent)
            with replacing(path) as partial:
                partial.write_bytes(message.picture)

    def _without_forgotten(self, delivery: Delivery) -> Delivery:
        """A delivery without forgotten parts of its tracklet; faulty if its picture is nowhere."""
        message = delivery.message
        if not isinstance(message, TrackletMessage) or not message.closed:
            return delivery
        kept = self._forgotten.filter_tracklet(message)
        if kept is message:
            return delivery
        try:
            picture = message.thumbnail and contained(self._folder, message.thumbnail)
        except UserError as error:
            return delivery.faulty(str(error))
        if picture:
            # It may show the forgotten person.
            picture.unlink(missing_ok=True)
        return replace(delivery, message=kept)

    def _write_open(self) -> dict[tuple[str, str], Delivery]:
        """Write the open messages; returns those that can never be written, by their entries."""
        unwritable: list[Delivery] = []
        for folder, deliveries in self._by_folder().items():
            try:
                unwritable += self._write(folder, deliveries)
            except OSError as error:
                if error.errno not in _NEVER_WRITABLE:
                    raise
                _log.error("cannot write to %s: %s. Going on without it", folder, error.strerror)
                reason = f"cannot write to {folder.name}: {error.strerror}"
                unwritable += [delivery.faulty(reason) for delivery in deliveries]
        return {_entry(delivery): delivery for delivery in unwritable}

    def _by_folder(self) -> dict[Path, list[Delivery]]:
        folders: dict[Path, list[Delivery]] = {}
        for delivery in self._open:
            folder = self._folder_of(delivery)
            if folder is not None:
                folders.setdefault(folder, []).append(delivery)
        return folders

    def _folder_of(self, delivery: Delivery) -> Path | None:
        match delivery.message:
            case ObservationsMessage():
                return observations_of(self._folder, delivery.message.camera_id)
            case TrackletMessage(closed=True):
                return self._folder / "tracklets"
            case IdentityMessage():
                return self._folder / "identities"
            case _:
                return None

    def _state_of(self, folder: Path) -> _TableState:
        if folder not in self._tables:
            written = _written(folder)
            self._tables[folder] = _TableState(written, next_number(folder))
        return self._tables[folder]

    def _write(self, folder: Path, deliveries: list[Delivery]) -> list[Delivery]:
        """Write messages of one table; returns those that do not fit it, as faulty ones."""
        state = self._state_of(folder)
        written = dict(state.written)
        new = [d for d in deliveries if d.number > written.get(sender_of(d), 0)]
        tables, fitting, faulty = self._fitting(new)
        if fitting:
            advance(written, fitting)
            position = msgspec.json.encode(written).decode()
            write_segment(folder, pa.concat_tables(tables), position, state.number)
            self._tables[folder] = _TableState(written, state.number + 1)
        return faulty

    def _fitting(
        self, deliveries: list[Delivery]
    ) -> tuple[list[pa.Table], list[Delivery], list[Delivery]]:
        """The rows of messages of one table, the messages that fit it, and those that do not."""
        try:
            return [self._rows(deliveries)] if deliveries else [], deliveries, []
        except _UNFIT as error:
            if len(deliveries) == 1:
                return [], [], [deliveries[0].faulty(str(error))]
        # Together it is faster; where one does not fit, it has to be found.
        one_by_one = [self._fitting([delivery]) for delivery in deliveries]
        tables, fitting, faulty = (list(chain(*found)) for found in zip(*one_by_one, strict=True))
        return tables, fitting, faulty

    def _rows(self, deliveries: list[Delivery]) -> pa.Table:
        messages = [d.message for d in deliveries if d.message is not None]
        rows = table_of(messages)
        if isinstance(messages[0], ObservationsMessage):
            return self._forgotten.filter_observations(messages[0].camera_id, rows)
        return rows


def _entry(delivery: Delivery) -> tuple[str, str]:
    return delivery.stream, delivery.entry_id


def _written(folder: Path) -> Numbers:
    """The messages in the last segment of a folder; none when it is damaged.

    Those of a damaged one that come again are written again, and nothing of it can be read.
    """
    try:
        position = last_position(folder)
    except UserError as error:
        _log.error("%s. Going on after it", error)
        return {}
    return _numbers(position, folder) if position else {}


def _numbers(position: str, folder: Path) -> Numbers:
    try:
        return msgspec.json.decode(position, type=dict[str, int])
    except msgspec.DecodeError as error:
        raise UserError(
            f"{folder} was written by another version of fusetrack: {error}. Give --out a new "
            "folder"
        ) from error


def _writing(folder: Path, consequence: str) -> AbstractContextManager[None]:
    return writing(f"to {folder}", f"{consequence}; free some space and restart the recorder")
