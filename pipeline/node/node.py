"""A node: frames of N cameras in, observations and tracklets out.

One detector call and one embedder call serve the frames and crops of all cameras.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from pipeline.bus.connection import Retry
from pipeline.bus.outbox import Outbox
from pipeline.bus.streams import Bus
from pipeline.config.schema import SiteConfig
from pipeline.monitoring.watch import Watch
from pipeline.node.batching import AnyFrame, FrameBatcher
from pipeline.node.camera import Camera
from pipeline.node.camera_stream import CameraStream
from pipeline.node.changes import SiteChange, SiteChanges
from pipeline.node.crops import Thumbnails
from pipeline.node.event_time import advance_recorded, advance_silent_live, is_on_time, split_batch
from pipeline.node.load_shedding import LoadMeter, StallReport
from pipeline.node.node_presence import NodePresence
from pipeline.node.perception import CropEmbedder as CropEmbedder
from pipeline.node.perception import Perception
from pipeline.node.perception import PictureDetector as PictureDetector
from pipeline.node.preview import Previews
from pipeline.node.tracker import PeopleTracker
from pipeline.reid.embedding import model_hash, same_person
from pipeline.sources import Source
from pipeline.sources.decode_ahead import DecodeAhead, close_all
from pipeline.sources.recorded import RecordedSource
from pipeline.sources.redact import displayed
from trackers.detections import Detections
from trackers.single_camera.continuity import SamePerson

#: Called with a frame and its tracked people.
OnTracked = Callable[[AnyFrame, Detections], None]

_log = logging.getLogger(__name__)

_MORE_FRAMES = 2
#: Batches of recordings that are being detected while one is processed.
AHEAD = 2
# Poll interval of a node without cameras.
_IDLE_S = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """Frames of all cameras whose detection has begun at ``began``, monotonic seconds.

    ``ended`` are the cameras without further frames; ``detections`` waits for what the detector
    finds in each frame, and is called once.
    """

    frames: list[AnyFrame]
    began: float
    ended: frozenset[str]
    detections: Callable[[], list[Detections | None]]


class Node:
    """Runs its cameras to their end.

    ``detector`` may be None when every source has recorded detections; ``embedder`` may be None
    when these include embeddings, or when none are wanted. ``on_frames(camera_id, count)`` is
    called with the number of processed frames, and ``on_tracked(frame, tracked)`` with each frame
    and its tracked people. ``make_tracker`` makes the tracker of a camera in place of the
    configured one. ``thumbnails`` is the folder for them in the run
    directory; a node without one may ``send_thumbnails`` to the recorder.

    With ``changes``, live cameras can be added and removed while the others keep running; after
    the last one is removed the node waits for new ones.

    While Redis is unavailable or full the node waits until ``give_up`` is set: recordings pause,
    live cameras drop frames. A restarted node sends only what was not sent before, see `Outbox`.
    """

    def __init__(
        self,
        config: SiteConfig,
        sources: Sequence[Source],
        bus: Bus,
        *,
        detector: PictureDetector | None,
        embedder: CropEmbedder | None,
        thumbnails: Path | None = None,
        send_thumbnails: bool = False,
        on_frames: Callable[[str, int], None] = lambda camera_id, count: None,
        on_tracked: OnTracked | None = None,
        make_tracker: Callable[[], PeopleTracker] | None = None,
        give_up: threading.Event | None = None,
        watch: Watch | None = None,
        changes: SiteChanges | None = None,
    ) -> None:
        self._config = config
        self._bus = bus
        self._perception = Perception(
            detector,
            embedder,
            tracker_embeddings=config.tracker.embeddings,
            most_per_s=config.detector.most_per_s,
        )
        self._thumbnails = thumbnails
        self._send_thumbnails = send_thumbnails
        self._on_frames = on_frames
        self._on_tracked = on_tracked
        self._make_tracker = make_tracker
        self._watch = watch or Watch()
        self._previews = Previews(bus, config.api, config.privacy.blur, watch=self._watch)
        self._stalls = StallReport(self._watch)
        on_wait = partial(self._watch.count_retry, "node")
        self._give_up = give_up or threading.Event()
        self._retry = Retry(self._give_up, time.monotonic, on_wait)
        self._changes = changes
        self._presence = changes and NodePresence(bus, self._retry, changes.name)
        # Until a camera ends by itself, more cameras may be added.
        self._waits = changes is not None
        # Of frames that the detector need not all see more are taken, so that its batch is full.
        factor = 1 if config.detector.most_per_s is None else _MORE_FRAMES
        self._batcher = FrameBatcher((), factor * config.detector.batch)
        self._load = LoadMeter(self._watch, config.detector.batch)
        self._running = {source.camera_id: self._open_stream(source) for source in sources}
        self._readers: dict[str, DecodeAhead] = {}

    def run(self, stop: threading.Event) -> None:
        """Run until every source has ended or ``stop`` is set, then send what is still open."""
        streams = list(self._running.values())
        if not self._changes and all(stream.has_ended for stream in streams):
            return
        try:
            if self._presence:
                self._presence.end_abandoned_cameras(self._running)
            self._announce_cameras()
            self._previews.start()
            self._start(streams, stop)
            for batch in self._batches(stop):
                self._process(batch, stop)
                self._measure(batch.frames, time.monotonic() - batch.began)
                for camera_id in sorted(batch.ended & self._running.keys()):
                    self._has_ended(camera_id, stop)
                for change in self._changes.drain() if self._changes else []:
                    self._apply(change, stop)
            for camera_id, stream in sorted(self._running.items()):
                self._end(stream, stop, whole=self._batcher.ended(camera_id))
            if self._presence:
                self._presence.leave()
        finally:
            if self._changes:
                self._changes.close()
            self._previews.close()
            close_all(self._readers.values())

    def _batches(self, stop: threading.Event) -> Iterator[_Batch]:
        """The batches of all cameras, each once its detection has begun.

        While one of recordings is processed the next ones are detected, so that neither waits for
        the other. That would delay live frames.
        """
        started: deque[_Batch] = deque()
        while (frames := self._next_batch(stop)) is not None:
            self._watch.step("node")
            self._stalls.update(self._batcher.waiting_for)
            started.append(self._begin(frames))
            while len(started) > (0 if self._has_live() else AHEAD):
                yield started.popleft()
        yield from started

    def _has_live(self) -> bool:
        return any(stream.source.live for stream in self._running.values())

    def _begin(self, frames: list[AnyFrame]) -> _Batch:
        began, running = time.monotonic(), self._running
        frames = [frame for frame in frames if is_on_time(frame, running[frame.camera_id])]
        ended = frozenset(filter(self._batcher.ended, running))
        return _Batch(frames, began, ended, self._perception.start(frames))

    def _measure(self, batch: list[AnyFrame], seconds: float) -> None:
        """Measure the load, and fit the next batch to it."""
        self._load.processed(len(batch), seconds)
        sources = [stream.source for stream in self._running.values()]
        self._load.judge(sources)
        cameras = self._config.cameras
        buffers = [cameras[source.camera_id].live.buffer_s for source in sources if source.live]
        self._batcher.most_live = self._load.batch(min(buffers, default=None))

    def _next_batch(self, stop: threading.Event) -> list[AnyFrame] | None:
        batch = self._batcher.next_batch(stop)
        if batch is None and self._waits and not stop.wait(_IDLE_S):
            return []
        return batch

    def _start(self, streams: list[CameraStream], stop: threading.Event) -> None:
        for stream in streams:
            stream.join(stop)
        for stream in streams:
            stream.start()
            self._readers[stream.camera_id] = stream.reader
            self._batcher.add(stream.reader)

    def _apply(self, change: SiteChange, stop: threading.Event) -> None:
        """Close and open cameras; the others keep running."""
        for camera_id in change.closed:
            self._batcher.remove(camera_id)
            self._readers.pop(camera_id, None)
            self._previews.remove(camera_id)
            self._perception.remove(camera_id)
            if stream := self._running.pop(camera_id, None):
                stream.camera.end()
                self._perception.embed([stream.camera])
                stream.leave(stop, change.timestamp)
        self._config = change.config
        opened = [self._open_stream(source) for source in change.opened]
        self._running.update((stream.camera_id, stream) for stream in opened)
        self._announce_cameras()
        self._start(opened, stop)
        change.done.set()

    def _announce_cameras(self) -> None:
        """Publish which cameras this node runs, so that it can end them after being killed."""
        if self._presence:
            live = {c.camera_id: c.node_number for c in self._running.values() if c.source.live}
            self._presence.announce(live)

    @cached_property
    def _same_person(self) -> SamePerson:
        """The same for all cameras; read from the weights once, and only where it is needed."""
        return same_person(self._config)

    @cached_property
    def _model(self) -> str:
        """The hash of the network of the embeddings."""
        return model_hash(self._config.reid.model)

    def _open_stream(self, source: Source) -> CameraStream:
        config, camera_id = self._config, source.camera_id
        open_outbox = partial(Outbox, self._bus, camera_id, live=source.live)
        outbox = self._retry.call(open_outbox)
        offset = outbox.known.track_id if source.live else 0
        thumbnails = None
        if self._thumbnails or self._send_thumbnails:
            thumbnails = Thumbnails(self._thumbnails, camera_id, config.privacy.blur, offset)
        # Embeddings that were recorded are those of a network of which nothing is known.
        recorded = isinstance(source, RecordedSource)
        same = None if recorded else self._same_person
        return CameraStream(
            source,
            Camera(
                source,
                config,
                thumbnails,
                same,
                "" if recorded else self._model,
                self._make_tracker,
            ),
            outbox,
            self._bus,
            self._retry,
            shown=displayed(config.cameras[camera_id].source or ""),
            view=config.cameras[camera_id].view,
            buffer_s=config.cameras[camera_id].live.buffer_s,
            watch=self._watch,
        )

    def _process(self, batch: _Batch, stop: threading.Event) -> None:
        running = self._running
        updated = {frame.camera_id: running[frame.camera_id] for frame in batch.frames}
        found = list(zip(batch.frames, batch.detections(), strict=True))
        live = {camera_id for camera_id, stream in updated.items() if stream.source.live}
        interval_s = self._config.association.interval_s
        for part in split_batch(found, interval_s, live, batch.ended):
            self._send(advance_recorded(part.period_start, running.values()), stop)
            for frame, detections in part.frames:
                self._track(frame, detections)
            for camera_id in part.ended:
                self._has_ended(camera_id, stop)
        self._send((updated.keys() & running.keys()) | advance_silent_live(running.values()), stop)
        for camera_id, stream in sorted(updated.items()):
            self._on_frames(camera_id, stream.camera.frames)

    def _track(self, frame: AnyFrame, detections: Detections | None) -> None:
        stream = self._running[frame.camera_id]
        tracked = stream.update(frame, detections)
        self._load.followed(stream.source, frame.timestamp)
        seen = tracked if detections is None else detections
        self._previews.update(frame, seen, tracked, stream.track_id_offset)
        if self._on_tracked is not None:
            self._on_tracked(frame, tracked)

    def _send(self, camera_ids: Collection[str], stop: threading.Event) -> None:
        """Embed the due crops of these cameras and send the messages that are due."""
        streams = [self._running[camera_id] for camera_id in sorted(camera_ids)]
        most = self._load.most_crops(len(streams))
        self._watch.crops_shed += self._perception.embed([s.camera for s in streams], most)
        for stream in streams:
            stream.send(stop)

    def _has_ended(self, camera_id: str, stop: threading.Event) -> None:
        self._end(self._running.pop(camera_id), stop, whole=True)
        self._previews.remove(camera_id)
        self._perception.remove(camera_id)
        self._waits = self._waits and bool(self._running)

    def _end(self, stream: CameraStream, stop: threading.Event, *, whole: bool) -> None:
        stream.camera.end()
        # Without time left, tracks are sent with the embeddings that they have.
        self._perception.embed([stream.camera], 0 if self._give_up.is_set() else None)
        source = stream.source
        # Being stopped is the regular end of a live camera.
        fault = source.fault if whole or source.live else "stopped before its end"
        stream.send(stop, "partial" if fault else "complete", fault)
