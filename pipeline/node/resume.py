"""Resumes a live camera after its node was restarted, without sending anything twice.

Frame indices and track ids continue, so that a track id never stands for two tracks. Tracks that
were open are closed with the data sent so far.
"""

import math
from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace

from pipeline.bus.messages import (
    CameraMessage,
    Message,
    ObservationsMessage,
    TrackletMessage,
    WatermarkMessage,
    pack,
    unpack,
)
from pipeline.bus.outbox import SentState


class ResumedCamera:
    """Continues the messages of a live camera after the state ``before`` of earlier nodes."""

    def __init__(self, camera_id: str, before: SentState) -> None:
        self._camera_id = camera_id
        self._before = self._sent = before

    def closing_messages(self) -> list[Message]:
        """Closed tracklets of the tracks that were open, and a watermark after them."""
        if not self._before.open:
            return []
        at = math.nextafter(self._before.at, math.inf)
        ended: list[Message] = [
            replace(tracklet, at=at, closed=True, revision=tracklet.revision + 1)
            for tracklet in self._before.open
        ]
        return [*ended, WatermarkMessage(self._camera_id, at)]

    def renumbered(self, message: Message) -> Message:
        """``message`` with frame indices and track ids that continue those sent before."""
        match message:
            case ObservationsMessage():
                index = unpack(message.frame_index) + self._before.frame_index + 1
                tracks = unpack(message.track_id) + self._before.track_id
                return replace(message, frame_index=pack(index), track_id=pack(tracks))
            case TrackletMessage():
                return replace(message, track_id=message.track_id + self._before.track_id)
            case CameraMessage(camera=camera):
                start = camera.start if self._before.start is None else self._before.start
                frames = self._before.frames + camera.frames
                dropped = self._before.dropped + camera.dropped
                return CameraMessage(replace(camera, start=start, frames=frames, dropped=dropped))
            case _:
                return message

    def record_sent(self, messages: Sequence[Message]) -> dict[str, object]:
        """The fields of `SentState` that the next node needs once ``messages`` are sent."""
        sent = self._sent
        unfinished = {tracklet.track_id: tracklet for tracklet in sent.open}
        for message in messages:
            match message:
                case ObservationsMessage():
                    frame = int(np.max(unpack(message.frame_index)))
                    sent = replace(sent, frame_index=frame)
                case TrackletMessage(closed=True):
                    unfinished.pop(message.track_id, None)
                    sent = replace(sent, track_id=max(sent.track_id, message.track_id))
                case TrackletMessage():
                    unfinished[message.track_id] = message
                    sent = replace(sent, track_id=max(sent.track_id, message.track_id))
                case CameraMessage(camera=camera):
                    sent = replace(
                        sent,
                        frames=camera.frames,
                        dropped=camera.dropped,
                        start=camera.start,
                        record=camera,
                    )
                case WatermarkMessage():
                    sent = replace(sent, at=message.timestamp)
        self._sent = replace(sent, open=list(unfinished.values()))
        names = ("frames", "dropped", "frame_index", "track_id", "start", "at", "open", "record")
        return {name: getattr(self._sent, name) for name in names}
