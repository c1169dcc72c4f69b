"""Frames of one connection as they come, never more than a moment old."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from av.error import ExitError, FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame

from pipeline.sources.camera_status import Life
from pipeline.sources.clock import CaptureClock, ShortestWay
from pipeline.sources.connection import Connection
from pipeline.sources.decoding import reason_of

# A packet that had to be waited for is the newest there is: nothing has piled up before it.
_WAITED_S = 0.005
# What piled up longer than this is decoded and not shown ...
_LATE_S = 1.0
# ... and longer than this not even decoded.
_FAR_BEHIND_S = 3.0
# What a server reports while it starts can be half a second off.
_ROUGH_S = 1.0
# So many packets that are late and yet the newest there are: the way itself has become longer.
_LATE_NEWS = 5
# Opening a stream takes a second or two, in which its first frames pile up.
_OPENING_S = 3.0

Timed = tuple[float, VideoFrame]


class Watching:
    """Reads ``connection`` until it breaks, or stays silent for ``silence_s``; ``ended`` then says
    why, and ``broken`` whether that was not at its end.

    ``now`` gives seconds UTC. Raises nothing: a live camera comes back.
    """

    def __init__(
        self,
        connection: Connection,
        times: CaptureClock,
        life: Life,
        silence_s: float,
        now: Callable[[], float],
    ) -> None:
        self.ended = ""
        self.broken = True
        self._connection = connection
        self._times = times
        self._life = life
        self._silence_s = silence_s
        self._now = now
        self._began = now()
        self._way = ShortestWay()
        self._has_report = False
        self._ahead_s: float | None = None
        self._piled_up = True
        self._lag_s = 0.0
        self._late_news = 0
        self._unit_s = float(connection.stream.time_base or 0)
        self._skipping = False
        self._anchor: float | None = None
        # Frame threads would hold back one frame each.
        connection.stream.thread_type = "SLICE"

    def frames(self) -> Iterator[Timed]:
        """Every frame worth showing, with its timestamp."""
        try:
            for packet, arrival, waited in self._packets():
                self._heed_report(packet, arrival)
                if packet.size and not self._skips(packet, arrival, waited):
                    for frame in self._decode(packet):
                        yield from self._shown(frame, arrival)
            if self._connection.recorded and not self.broken:
                for frame in self._decode(None):
                    yield from self._shown(frame, self._now())
        except ExitError:
            self.ended = f"no frame for {self._silence_s:g} s"
        except FFmpegError as error:
            self.ended = reason_of(error)

    def _packets(self) -> Iterator[tuple[Packet[Any], float, bool]]:
        """The video's packets, when each came, and whether it had to be waited for."""
        index = self._connection.stream.index
        seen = asked = self._now()
        # Sound that goes on must not hide that the picture stands still.
        for packet in self._connection.container.demux():
            arrival = self._now()
            if arrival - seen >= self._silence_s:
                self.ended = f"no frame for {arrival - seen:.1f} s"
                return
            if packet.stream_index == index:
                yield packet, arrival, arrival - asked >= _WAITED_S
                seen = self._now()
            asked = self._now()
        self.ended, self.broken = "the camera closed the stream", False

    def _skips(self, packet: Packet[Any], arrival: float, waited: bool) -> bool:
        """Whether so much has piled up that this packet is not even decoded."""
        stamp = packet.pts if packet.dts is None else packet.dts
        if stamp is None or self._connection.bursts or not self._connection.timed:
            return False
        lag_s = self._way.lag(arrival, stamp * self._unit_s)
        self._late_news = self._late_news + 1 if waited and lag_s > _LATE_S else 0
        if self._late_news > _LATE_NEWS:
            self._way = ShortestWay()
        if waited:
            self._piled_up, lag_s = False, 0.0
        self._lag_s = lag_s
        if lag_s > _FAR_BEHIND_S:
            self._skipping = True
        elif self._skipping and packet.is_keyframe and lag_s < _LATE_S:
            self._connection.stream.codec_context.flush_buffers()
            self._skipping = False
        self._life.dropped += self._skipping
        return self._skipping

    def _heed_report(self, packet: Packet[Any], arrival: float) -> None:
        """Take note of when the camera says that it took the frame of ``packet``."""
        if packet.has_sidedata("rtcp_sr") and arrival - self._began >= _ROUGH_S:
            self._has_report = True
        media = self._seconds(packet)
        if self._has_report and media is not None and packet.has_sidedata("prft"):
            (microseconds,) = struct.unpack_from("=q", bytes(packet.get_sidedata("prft")))
            self._ahead_s = microseconds / 1e6 - media

    def _decode(self, packet: Packet[Any] | None) -> Sequence[VideoFrame]:
        try:
            return self._connection.stream.codec_context.decode(packet)
        except FFmpegError:
            self._life.damaged += 1
            return []

    def _shown(self, frame: VideoFrame, arrival: float) -> Iterator[Timed]:
        """The frame with its timestamp, unless it is damaged or came too late."""
        media = self._seconds(frame) if self._connection.timed else None
        if frame.is_corrupt:
            self._life.damaged += 1
        elif self._is_late(arrival):
            self._life.dropped += 1
        else:
            if self._connection.bursts and media is not None:
                arrival = self._wait_for(media)
            reported = None if media is None or self._ahead_s is None else media + self._ahead_s
            timestamp = self._times.at(arrival, media, reported)
            self._life.seen(arrival - timestamp, self._times.origin)
            yield timestamp, frame

    def _is_late(self, arrival: float) -> bool:
        """Whether the frame has waited for long, here or while the stream was opened."""
        if self._connection.bursts or not self._connection.timed:
            return False
        opening = self._piled_up and arrival - self._began < _OPENING_S
        return opening or self._lag_s > _LATE_S

    def _wait_for(self, media: float) -> float:
        """Wait for the moment of a frame that came in a burst; returns it, seconds UTC."""
        now = self._now()
        if self._anchor is None or not -_LATE_S < self._anchor + media - now < _FAR_BEHIND_S:
            self._anchor = now - media
        moment = self._anchor + media
        self._life.closing.wait(max(0.0, moment - now))
        return moment

    def _seconds(self, item: Packet[Any] | VideoFrame) -> float | None:
        """The time of ``item`` by the stream's clock; the last frames have lost their own unit."""
        return None if item.pts is None else item.pts * self._unit_s
