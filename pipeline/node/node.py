"""A node: frames of N cameras in, observations and tracklets out.

One detector call and one embedder call serve the frames and crops of all cameras.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path

from pipeline.bus.outbox import Outbox
from pipeline.bus.retry import Retry
from pipeline.bus.streams import Bus
from pipeline.config.schema import SiteConfig
from pipeline.config.views import view_of
from pipeline.monitoring.watch import Watch
from pipeline.node.batching import AnyFrame, Schedule
from pipeline.node.camera import Camera, thumbnails_of
from pipeline.node.camera_stream import Channel
from pipeline.node.changes import SiteChange, SiteChanges
from pipeline.node.event_time import is_in_time, parts_of, pass_live_time, pass_time
from pipeline.node.node_presence import Attendance
from pipeline.node.perception import Detects as Detects
from pipeline.node.perception import Embeds as Embeds
from pipeline.node.perception import Perception
from pipeline.node.preview import Previews
from pipeline.sources import Source
from pipeline.sources.decode_ahead import DecodeAhead, close_all
from pipeline.sources.redact import redact
from trackers.detections import Detections

_log = logging.getLogger(__name__)

# How often a node without cameras looks whether there is one.
_IDLE_S = 0.05


class Node:
    """Runs its cameras to their end.

    ``detector`` may be None when every source brings recorded detections; ``embedder`` may be None
    when these bring their embeddings, or none are wanted. ``on_frames(camera_id, count)`` is told
    about progress.

    With ``changes`` live cameras come and go while the others go on, and when the last is removed
    it waits for more.

    While Redis is away or full the node waits, until ``give_up`` is set: recordings stand still,
    live cameras drop frames. A node that starts again sends what was not sent yet, see `Outbox`.
    """

    def __init__(
        self,
        config: SiteConfig,
        sources: Sequence[Source],
        bus: Bus,
        *,
        detector: Detects | None,
        embedder: Embeds | None,
        thumbnails: Path | None = None,
        on_frames: Callable[[str, int], None] = lambda camera_id, count: None,
        give_up: threading.Event | None = None,
        watch: Watch | None = None,
        changes: SiteChanges | None = None,
    ) -> None:
        self._config = config
        self._bus = bus
        self._perception = Perception(detector, embedder, tracker_looks=config.tracker.embeddings)
        self._thumbnails = thumbnails
        self._on_frames = on_frames
        self._previews = Previews(bus, config.api, config.privacy.blur)
        self._watch = watch or Watch()
        waited = partial(self._watch.waited, "node")
        self._patience = Retry(give_up or threading.Event(), time.monotonic, waited)
        self._changes = changes
        self._attendance = changes and Attendance(bus, self._patience, changes.name)
        # Without one that ended by itself there may be more to come.
        self._waits = changes is not None
        self._schedule = Schedule((), config.detector.batch)
        self._running = {source.camera_id: self._channel(source) for source in sources}
        self._readers: dict[str, DecodeAhead] = {}

    def run(self, stop: threading.Event) -> None:
        """Work until every source has ended or ``stop`` is set; then send what is still open."""
        channels = list(self._running.values())
        if not self._changes and all(channel.has_ended for channel in channels):
            return
        if self._attendance:
            self._attendance.close_left_behind(self._running)
        self._tell_cameras()
        self._previews.start()
        try:
            self._start(channels, stop)
            while (batch := self._next_batch(stop)) is not None:
                self._watch.step("node")
                self._process(batch, stop)
                for camera_id in sorted(filter(self._schedule.ended, self._running)):
                    self._has_ended(camera_id, stop)
                for change in self._changes.take() if self._changes else []:
                    self._apply(change, stop)
            for camera_id, channel in sorted(self._running.items()):
                self._end(channel, stop, whole=self._schedule.ended(camera_id))
            if self._attendance:
                self._attendance.leave()
        finally:
            self._previews.close()
            close_all(self._readers.values())

    def _next_batch(self, stop: threading.Event) -> list[AnyFrame] | None:
        batch = self._schedule.next_batch(stop)
        if batch is None and self._waits and not stop.wait(_IDLE_S):
            return []
        return batch

    def _start(self, channels: list[Channel], stop: threading.Event) -> None:
        for channel in channels:
            channel.join(stop)
        for channel in channels:
            channel.start()
            self._readers[channel.camera_id] = channel.reader
            self._schedule.add(channel.reader)

    def _apply(self, change: SiteChange, stop: threading.Event) -> None:
        """Close cameras and open others; the rest goes on."""
        for camera_id in change.closed:
            self._schedule.remove(camera_id)
            self._readers.pop(camera_id, None)
            if channel := self._running.pop(camera_id, None):
                channel.camera.end()
                self._perception.embed([channel.camera])
                channel.leave(stop, change.moment)
        self._config = change.config
        opened = [self._channel(source) for source in change.opened]
        self._running.update((channel.camera_id, channel) for channel in opened)
        self._tell_cameras()
        self._start(opened, stop)
        change.done.set()

    def _tell_cameras(self) -> None:
        """Say which cameras are ours, so that this node ends them, even after it was killed."""
        if self._attendance:
            live = {c.camera_id: c.number for c in self._running.values() if c.source.live}
            self._attendance.tell(live)

    def _channel(self, source: Source) -> Channel:
        config, camera_id = self._config, source.camera_id
        open_outbox = partial(Outbox, self._bus, camera_id, live=source.live)
        outbox = self._patience.insist(open_outbox)
        seen = outbox.known.track_id if source.live else 0
        thumbnails = thumbnails_of(self._thumbnails, camera_id, config.privacy.blur, seen)
        return Channel(
            source,
            Camera(source, config, thumbnails),
            outbox,
            self._bus,
            self._patience,
            shown=redact(config.cameras[camera_id].source or ""),
            view=view_of(config, camera_id),
            buffer_s=config.cameras[camera_id].live.buffer_s,
            watch=self._watch,
        )

    def _process(self, batch: list[AnyFrame], stop: threading.Event) -> None:
        running = self._running
        batch = [frame for frame in batch if is_in_time(frame, running[frame.camera_id])]
        seen = {frame.camera_id: running[frame.camera_id] for frame in batch}
        found = list(zip(batch, self._perception.detect(batch), strict=True))
        live = {camera_id for camera_id, channel in seen.items() if channel.source.live}
        interval_s = self._config.association.interval_s
        for part in parts_of(found, interval_s, live, self._schedule.ended):
            self._send(pass_time(part.moment, running.values()), stop)
            for frame, detections in part.seen:
                self._see(frame, detections)
            for camera_id in part.over:
                self._has_ended(camera_id, stop)
        self._send((seen.keys() & running.keys()) | pass_live_time(running.values()), stop)
        for camera_id, channel in sorted(seen.items()):
            self._on_frames(camera_id, channel.camera.frames)

    def _see(self, frame: AnyFrame, detections: Detections) -> None:
        channel = self._running[frame.camera_id]
        tracked = channel.see(frame, detections)
        self._previews.offer(frame, detections, tracked, channel.tracks_before)

    def _send(self, camera_ids: Collection[str], stop: threading.Event) -> None:
        """Embed the crops of these cameras that are due, and send what is."""
        touched = [self._running[camera_id] for camera_id in sorted(camera_ids)]
        self._perception.embed([channel.camera for channel in touched])
        for channel in touched:
            channel.send(stop)

    def _has_ended(self, camera_id: str, stop: threading.Event) -> None:
        self._end(self._running.pop(camera_id), stop, whole=True)
        self._waits = self._waits and bool(self._running)

    def _end(self, channel: Channel, stop: threading.Event, *, whole: bool) -> None:
        channel.camera.end()
        self._perception.embed([channel.camera])
        source = channel.source
        # A live camera has no other end than being stopped.
        fault = source.fault if whole or source.live else "stopped before its end"
        channel.send(stop, "partial" if fault else "complete", fault)
