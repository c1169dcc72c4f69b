"""One camera of a node from its source to the message streams: decoding, tracking, sending."""

import math
import threading
from functools import partial

from pipeline.bus.backpressure import wait_for_capacity
from pipeline.bus.connection import Retry
from pipeline.bus.keys import OBSERVATIONS, TRACKLETS
from pipeline.bus.messages import CameraMessage, JoinMessage, Message, view_message
from pipeline.bus.outbox import Outbox
from pipeline.bus.streams import Bus
from pipeline.monitoring.watch import CameraLoad, Watch
from pipeline.node.batching import AnyFrame
from pipeline.node.camera import Camera
from pipeline.node.resume import ResumedCamera
from pipeline.run_directory.schema import CameraRecord
from pipeline.sources import Source
from pipeline.sources.camera_status import status_of
from pipeline.sources.decode_ahead import DecodeAhead
from trackers.detections import Detections
from trackers.ground.view import View

# Frames decoded ahead, for each camera.
_DECODED_AHEAD = 8


class CameraStream:
    """A camera from its source to the message streams.

    ``shown`` is the source without its password, ``view`` the camera's view of the ground plane.
    Buffered frames of a live camera older than ``buffer_s`` seconds are dropped. ``retry`` waits
    for Redis.
    """

    def __init__(
        self,
        source: Source,
        camera: Camera,
        outbox: Outbox,
        bus: Bus,
        retry: Retry,
        *,
        shown: str,
        view: View | None = None,
        buffer_s: float = math.inf,
        watch: Watch | None = None,
    ) -> None:
        self.camera_id = source.camera_id
        self.source = source
        self.camera = camera
        self._bus = bus
        self._retry = retry
        self._shown = shown
        self._view = view
        self._buffer_s = buffer_s
        self._watch = watch or Watch()
        self._started: float | None = None
        self._reader: DecodeAhead | None = None
        self._outbox = outbox
        self._resumed: ResumedCamera | None = None
        if source.live:
            self._resumed = ResumedCamera(self.camera_id, outbox.known, outbox.crops)

    @property
    def has_ended(self) -> bool:
        """Whether the end of this camera had been sent before the node started."""
        return self._outbox.known.ended

    @property
    def track_id_offset(self) -> int:
        """Offset added to the tracker's ids, so that ids of earlier nodes are not reused."""
        return self._outbox.known.track_id if self.source.live else 0

    @property
    def reader(self) -> DecodeAhead:
        """The reader of its frames; available after `start`."""
        assert self._reader is not None
        return self._reader

    @property
    def node_number(self) -> int:
        """Sequence number of this node among all nodes that have run the camera."""
        return self._outbox.known.node

    def join(self, stop: threading.Event) -> None:
        """Close the tracks left open by a killed node and announce that the camera takes part."""
        if self._resumed is None:
            return
        view = None if self._view is None else view_message(self._view)
        messages = [*self._resumed.closing_messages(), JoinMessage(self.camera_id, view)]
        self._publish([(TRACKLETS, message) for message in messages], stop, ended=False)

    def start(self) -> None:
        """Start decoding."""
        self._reader = DecodeAhead(self.source, _DECODED_AHEAD, self._buffer_s)
        self._watch.add_reader(self._reader)

    def leave(self, stop: threading.Event, timestamp: float) -> None:
        """Stop reading a camera removed at ``timestamp``, seconds UTC, and send what is left."""
        self.reader.request_stop()
        self.send(stop, "removed", removed=timestamp)
        self._watch.remove_camera(self.camera_id)

    def update(self, frame: AnyFrame, detections: Detections | None) -> Detections:
        """Track the people of the next frame, or without detections predict where they are;
        returns the tracked detections.
        """
        if self._started is None:
            self._started = frame.timestamp
        if detections is None:
            tracked = self.camera.predict(frame)
        else:
            tracked = self.camera.update(frame, detections)
        self._watch.count_frame(self.camera_id, len(tracked if detections is None else detections))
        return tracked

    def send(
        self,
        stop: threading.Event,
        state: str = "running",
        fault: str = "",
        removed: float | None = None,
    ) -> None:
        """Send what is due: at the end of a period, or everything when not ``running``."""
        observations, tracklets = self.camera.take_messages(ended=state != "running")
        if not tracklets:
            return
        record = CameraMessage(self._record(state, fault, removed))
        messages: list[tuple[str, Message]] = [
            *((OBSERVATIONS, message) for message in (*observations, record)),
            *((TRACKLETS, message) for message in tracklets),
        ]
        if self._resumed is not None:
            renumbered = self._resumed.renumbered
            messages = [(stream, renumbered(message)) for stream, message in messages]
        self._publish(messages, stop, ended=state != "running")

    def _publish(
        self, messages: list[tuple[str, Message]], stop: threading.Event, *, ended: bool
    ) -> None:
        resumed = self._resumed
        progress = resumed.record_sent([message for _, message in messages]) if resumed else {}
        step = partial(self._watch.step, "node")
        self._retry.call(partial(wait_for_capacity, self._bus, stop, step))
        self._retry.call(partial(self._outbox.send, messages, ended=ended, **progress))
        self._watch.count_sent(self.camera_id, [message for _, message in messages])

    def _record(self, state: str, fault: str, removed: float | None) -> CameraRecord:
        source, camera, status = self.source, self.camera, status_of(self.source)
        start = self._started or 0.0
        load = self._watch.loads.get(self.camera_id, CameraLoad())
        if status is not None and state == "running":
            fault = status.phase().text
        return CameraRecord(
            camera_id=self.camera_id,
            source=self._shown,
            width=source.width,
            height=source.height,
            fps=source.fps,
            frames=camera.frames,
            start=start,
            end=camera.timestamp if camera.frames else start,
            timestamp_origin=source.timestamp_origin,
            state=state,
            detail=fault,
            dropped=self.reader.dropped + (status.unused if status else 0),
            removed=removed,
            followed_fps=round(load.fps, 2),
            delay_s=round(load.delay_s, 3),
            overloaded=load.overloaded,
            overloaded_s=round(load.overloaded_s, 1),
        )
