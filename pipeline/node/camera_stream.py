"""One camera of a node with all that is its own: source, decoding, tracker, and what it sends."""

import math
import threading
from functools import partial

from pipeline.bus.backpressure import wait_for_room
from pipeline.bus.keys import OBSERVATIONS, TRACKLETS
from pipeline.bus.messages import CameraMessage, JoinMessage, Message, view_message
from pipeline.bus.outbox import Outbox
from pipeline.bus.retry import Retry
from pipeline.bus.streams import Bus
from pipeline.monitoring.watch import Watch
from pipeline.node.batching import AnyFrame
from pipeline.node.camera import Camera
from pipeline.node.resume import Continued
from pipeline.run_directory.schema import CameraRecord
from pipeline.sources import Source
from pipeline.sources.camera_status import status_of
from pipeline.sources.decode_ahead import DecodeAhead
from trackers.detections import Detections
from trackers.ground.view import View

# Frames decoded ahead, for each camera.
_DECODED_AHEAD = 8


class Channel:
    """A camera from its source to the streams.

    ``shown`` is its source as it may be shown, without a password, ``view`` how it sees the ground.
    Of a live camera frames older than ``buffer_s`` make room. ``patience`` waits for Redis.
    """

    def __init__(
        self,
        source: Source,
        camera: Camera,
        outbox: Outbox,
        bus: Bus,
        patience: Retry,
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
        self._patience = patience
        self._shown = shown
        self._view = view
        self._buffer_s = buffer_s
        self._watch = watch or Watch()
        self._started: float | None = None
        self._reader: DecodeAhead | None = None
        self._outbox = outbox
        self._continued = Continued(self.camera_id, outbox.known) if source.live else None

    @property
    def has_ended(self) -> bool:
        """Whether its end was sent before the node was started."""
        return self._outbox.known.ended

    @property
    def tracks_before(self) -> int:
        """What is added to the tracker's ids: those of the nodes before are not given again."""
        return self._outbox.known.track_id if self.source.live else 0

    @property
    def reader(self) -> DecodeAhead:
        """Its frames, once it was started."""
        assert self._reader is not None
        return self._reader

    @property
    def number(self) -> int:
        """Of the nodes that the camera had, the how manieth this is."""
        return self._outbox.known.node

    def join(self, stop: threading.Event) -> None:
        """End the tracks that were open when the node before died, and say that it takes part."""
        if self._continued is None:
            return
        view = None if self._view is None else view_message(self._view)
        messages = [*self._continued.endings(), JoinMessage(self.camera_id, view)]
        self._publish([(TRACKLETS, message) for message in messages], stop, ended=False)

    def start(self) -> None:
        """Begin to decode."""
        self._reader = DecodeAhead(self.source, _DECODED_AHEAD, self._buffer_s)
        self._watch.reads(self._reader)

    def leave(self, stop: threading.Event, moment: float) -> None:
        """It was removed at ``moment``, seconds UTC: send what is left, and read it no longer."""
        self.reader.request_stop()
        self.send(stop, "removed", removed=moment)
        self._watch.leaves(self.camera_id)

    def see(self, frame: AnyFrame, detections: Detections) -> Detections:
        """Track the people of the next frame; returns those that are tracked."""
        if self._started is None:
            self._started = frame.timestamp
        tracked = self.camera.see(frame, detections)
        self._watch.saw(self.camera_id, len(detections))
        return tracked

    def send(
        self,
        stop: threading.Event,
        state: str = "running",
        fault: str = "",
        removed: float | None = None,
    ) -> None:
        """Send what is due: at the end of a period, or all of it in another ``state``."""
        observations, tracklets = self.camera.take_messages(ended=state != "running")
        if not tracklets:
            return
        record = CameraMessage(self._record(state, fault, removed))
        messages: list[tuple[str, Message]] = [
            *((OBSERVATIONS, message) for message in (*observations, record)),
            *((TRACKLETS, message) for message in tracklets),
        ]
        if self._continued is not None:
            shifted = self._continued.shifted
            messages = [(stream, shifted(message)) for stream, message in messages]
        self._publish(messages, stop, ended=state != "running")

    def _publish(
        self, messages: list[tuple[str, Message]], stop: threading.Event, *, ended: bool
    ) -> None:
        continued = self._continued
        memory = continued.remember([message for _, message in messages]) if continued else {}
        step = partial(self._watch.step, "node")
        self._patience.insist(partial(wait_for_room, self._bus, stop, step))
        self._patience.insist(partial(self._outbox.send, messages, ended=ended, **memory))
        self._watch.sent(self.camera_id, [message for _, message in messages])

    def _record(self, state: str, fault: str, removed: float | None) -> CameraRecord:
        source, camera, status = self.source, self.camera, status_of(self.source)
        start = self._started or 0.0
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
            dropped=self.reader.dropped + (status.dropped + status.late if status else 0),
            removed=removed,
        )
