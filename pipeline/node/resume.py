"""Resumes a live camera after its node was restarted, without sending anything twice.

Frame indices and track ids continue, so that a track id never stands for two tracks. Tracks that
were open are closed with the data sent so far. Of these the state of the camera has the last
message without vectors; the vectors are beside it, each stored once.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from msgspec.structs import replace

from pipeline.bus.messages import (
    Array,
    CameraMessage,
    Message,
    ObservationsMessage,
    TrackletMessage,
    WatermarkMessage,
    pack,
    unpack,
)
from pipeline.bus.outbox import SentState


class _Crop(msgspec.Struct, array_like=True, frozen=True):
    """The vectors of one crop, as in the message that had them."""

    exemplar: Array
    text_vector: Array | None
    visibilities: Array | None


class ResumedCamera:
    """Continues the messages of a live camera after the state ``before`` of earlier nodes.

    ``crops`` are the vectors of the tracks that are open in it, see `Outbox.crops`.
    """

    def __init__(
        self, camera_id: str, before: SentState, crops: Mapping[str, bytes] | None = None
    ) -> None:
        self._camera_id = camera_id
        self._before = self._sent = before
        self._crops = crops or {}

    def closing_messages(self) -> list[Message]:
        """Closed tracklets of the tracks that were open, and a watermark after them."""
        if not self._before.open:
            return []
        at = math.nextafter(self._before.at, math.inf)
        ended = [
            replace(self._with_crops(last), at=at, closed=True, revision=last.revision + 1)
            for last in self._before.open
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

    def _with_crops(self, last: TrackletMessage) -> TrackletMessage:
        """The last message of a track with all of its vectors that were stored."""
        times = unpack(last.exemplar_times)
        found = [self._crops.get(_name(last.track_id, time)) for time in times.tolist()]
        rows = [row for row, data in enumerate(found) if data is not None]
        crops = [msgspec.msgpack.decode(data, type=_Crop) for data in found if data is not None]
        return replace(
            last,
            exemplars=_stacked([c.exemplar for c in crops]) or last.exemplars,
            text_vectors=_stacked([c.text_vector for c in crops]),
            visibilities=_stacked([c.visibilities for c in crops]),
            qualities=pack(unpack(last.qualities)[rows]),
            exemplar_times=pack(times[rows]),
            fresh=None,
        )

    def record_sent(self, messages: Sequence[Message]) -> dict[str, Any]:
        """What the next node needs once ``messages`` are sent: fields of `SentState`, and the
        ``crops`` to store or, None, to remove.
        """
        sent, crops = self._sent, dict[str, bytes | None]()
        unfinished = {tracklet.track_id: tracklet for tracklet in sent.open}
        for message in messages:
            match message:
                case ObservationsMessage():
                    frame = int(np.max(unpack(message.frame_index)))
                    sent = replace(sent, frame_index=frame)
                case TrackletMessage(closed=True):
                    ended = _names(unfinished.pop(message.track_id, None))
                    crops |= dict.fromkeys(sorted(ended))
                    sent = replace(sent, track_id=max(sent.track_id, message.track_id))
                case TrackletMessage():
                    before = unfinished.get(message.track_id)
                    unfinished[message.track_id] = _without_vectors(message)
                    left = _names(before) - _names(message)
                    crops |= dict.fromkeys(sorted(left)) | _crops_of(message)
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
        return {"crops": crops, **{name: getattr(self._sent, name) for name in names}}


def _name(track_id: int, time: float) -> str:
    """The field of a crop."""
    return f"{track_id}:{time!r}"


def _names(message: TrackletMessage | None) -> set[str]:
    """The fields of the crops of a track."""
    if message is None:
        return set()
    return {_name(message.track_id, time) for time in unpack(message.exemplar_times).tolist()}


def _crops_of(message: TrackletMessage) -> dict[str, bytes]:
    """The vectors that are in a message of an open track."""
    times = unpack(message.exemplar_times).tolist()
    rows = range(len(times)) if message.fresh is None else message.fresh
    return {
        _name(message.track_id, times[row]): msgspec.msgpack.encode(
            _Crop(
                pack(unpack(message.exemplars)[number]),
                _row(message.text_vectors, number),
                _row(message.visibilities, number),
            )
        )
        for number, row in enumerate(rows)
    }


def _row(packed: Array | None, number: int) -> Array | None:
    return None if packed is None else pack(unpack(packed)[number])


def _stacked(rows: Iterable[Array | None]) -> Array | None:
    """The rows as one array; None without rows, and where one is missing."""
    packed = list(rows)
    known = [unpack(row) for row in packed if row is not None]
    return pack(np.stack(known)) if known and len(known) == len(packed) else None


def _without_vectors(message: TrackletMessage) -> TrackletMessage:
    """What ends a track without its vectors: of the path, which readers know, only the end."""
    path, ground = unpack(message.path), message.ground
    return replace(
        message,
        exemplars=pack(unpack(message.exemplars)[:0]),
        text_vectors=None,
        visibilities=None,
        fresh=[],
        path=pack(path[-1:]),
        ground=None if ground is None else pack(unpack(ground)[-1:]),
        after=float(path[-2, 0]) if len(path) > 1 else message.after,
    )
