"""Read the frames of one live connection with bounded delay."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from av.error import ExitError, FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame

from pipeline.sources.camera_status import CameraStatus
from pipeline.sources.clock import ArrivalOffset, CaptureClock
from pipeline.sources.connection import Connection
from pipeline.sources.decoding import reason_of

# If the reader had to wait this long for a packet, there is no backlog before it.
_WAITED_S = 0.005
# Frames later than this are decoded but not delivered ...
_LATE_S = 1.0
# ... and later than this they are not even decoded.
_FAR_BEHIND_S = 3.0
# Where the node wants frames this rarely, keyframes alone are decoded.
_KEYFRAMES_S = 1.0
# Sender reports during a server's first second can be half a second off.
_ROUGH_S = 1.0
# After this many late packets without a backlog, the network delay itself has grown.
_LATE_PACKETS = 5
# Opening a stream takes a second or two, during which its first frames are queued.
_OPENING_S = 3.0

Timed = tuple[float, VideoFrame]


class LiveReader:
    """Reads ``connection`` until it breaks or sends nothing for ``silence_s`` seconds.

    ``end_reason`` then says why, and ``interrupted`` is False only at the regular end of the
    stream. ``now`` returns seconds UTC. Raises nothing: the caller reconnects.
    """

    def __init__(
        self,
        connection: Connection,
        times: CaptureClock,
        status: CameraStatus,
        silence_s: float,
        now: Callable[[], float],
    ) -> None:
        self.end_reason = ""
        self.interrupted = True
        self._connection = connection
        self._times = times
        self._status = status
        self._silence_s = silence_s
        self._now = now
        self._began = now()
        self._arrival_offset = ArrivalOffset()
        self._has_report = False
        self._report_offset_s: float | None = None
        self._has_backlog = True
        self._lag_s = 0.0
        self._late_packets = 0
        self._unit_s = float(connection.stream.time_base or 0)
        self._skipping = False
        self._anchor: float | None = None
        # Frame threads would hold back one frame each.
        connection.stream.thread_type = "SLICE"

    def frames(self) -> Iterator[Timed]:
        """Every usable frame, with its timestamp in seconds UTC."""
        try:
            for packet, arrival, waited in self._packets():
                self._read_sender_report(packet, arrival)
                if packet.size and not self._skips(packet, arrival, waited):
                    for frame in self._decode(packet):
                        yield from self._timestamped(frame, arrival)
            if self._connection.recorded and not self.interrupted:
                for frame in self._decode(None):
                    yield from self._timestamped(frame, self._now())
        except ExitError:
            self.end_reason = f"no frame for {self._silence_s:g} s"
        except FFmpegError as error:
            self.end_reason = reason_of(error)

    def _packets(self) -> Iterator[tuple[Packet[Any], float, bool]]:
        """The video packets, the arrival time of each, and whether it had to be waited for."""
        index = self._connection.stream.index
        last = asked = self._now()
        # Audio packets must not hide that no video arrives.
        for packet in self._connection.container.demux():
            arrival = self._now()
            if arrival - last >= self._silence_s:
                self.end_reason = f"no frame for {arrival - last:.1f} s"
                return
            if packet.stream_index == index:
                yield packet, arrival, arrival - asked >= _WAITED_S
                last = self._now()
            asked = self._now()
        self.end_reason, self.interrupted = "the camera closed the stream", False

    def _skips(self, packet: Packet[Any], arrival: float, waited: bool) -> bool:
        """Whether the backlog is so large that this packet is not even decoded."""
        stamp = packet.pts if packet.dts is None else packet.dts
        if stamp is None or self._connection.bursts or not self._connection.timed:
            return False
        lag_s = self._arrival_offset.lag(arrival, stamp * self._unit_s)
        self._late_packets = self._late_packets + 1 if waited and lag_s > _LATE_S else 0
        if self._late_packets > _LATE_PACKETS:
            self._arrival_offset = ArrivalOffset()
        if waited:
            self._has_backlog, lag_s = False, 0.0
        self._lag_s = lag_s
        few = self._status.spacing_s >= _KEYFRAMES_S and not packet.is_keyframe
        if lag_s > _FAR_BEHIND_S or few:
            self._skipping = True
        elif self._skipping and packet.is_keyframe and lag_s < _LATE_S:
            self._connection.stream.codec_context.flush_buffers()
            self._skipping = False
        self._status.dropped += self._skipping
        return self._skipping

    def _read_sender_report(self, packet: Packet[Any], arrival: float) -> None:
        """Update the camera's clock offset from the capture time reported with ``packet``."""
        if packet.has_sidedata("rtcp_sr") and arrival - self._began >= _ROUGH_S:
            self._has_report = True
        media = self._seconds(packet)
        if self._has_report and media is not None and packet.has_sidedata("prft"):
            (microseconds,) = struct.unpack_from("=q", bytes(packet.get_sidedata("prft")))
            self._report_offset_s = microseconds / 1e6 - media

    def _decode(self, packet: Packet[Any] | None) -> Sequence[VideoFrame]:
        try:
            return self._connection.stream.codec_context.decode(packet)
        except FFmpegError:
            self._status.damaged += 1
            return []

    def _timestamped(self, frame: VideoFrame, arrival: float) -> Iterator[Timed]:
        """The frame with its timestamp, unless it is damaged or too late."""
        media = self._seconds(frame) if self._connection.timed else None
        if frame.is_corrupt:
            self._status.damaged += 1
        elif self._is_late(arrival):
            self._status.dropped += 1
        else:
            if self._connection.bursts and media is not None:
                arrival = self._wait_for(media)
            reported = (
                None
                if media is None or self._report_offset_s is None
                else media + self._report_offset_s
            )
            timestamp = self._times.next_timestamp(arrival, media, reported)
            self._status.frame_received(arrival - timestamp, self._times.origin)
            yield timestamp, frame

    def _is_late(self, arrival: float) -> bool:
        """Whether the frame was queued for too long, here or while the stream was opened."""
        if self._connection.bursts or not self._connection.timed:
            return False
        opening = self._has_backlog and arrival - self._began < _OPENING_S
        return opening or self._lag_s > _LATE_S

    def _wait_for(self, media: float) -> float:
        """Wait until a frame that arrived in a burst is due; returns that time, seconds UTC."""
        now = self._now()
        if self._anchor is None or not -_LATE_S < self._anchor + media - now < _FAR_BEHIND_S:
            self._anchor = now - media
        moment = self._anchor + media
        self._status.closing.wait(max(0.0, moment - now))
        return moment

    def _seconds(self, item: Packet[Any] | VideoFrame) -> float | None:
        """The time of ``item`` by the stream's clock; flushed frames carry no time base."""
        return None if item.pts is None else item.pts * self._unit_s
