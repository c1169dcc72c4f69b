"""Live cameras: an RTSP or HTTP stream, or a webcam."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from pipeline.config.schema import CameraConfig
from pipeline.errors import UserError
from pipeline.sources.camera_status import CameraStatus, retry_delay
from pipeline.sources.clock import CaptureClock, FrameRate
from pipeline.sources.connection import Connection, NoConnection, address_of, connect
from pipeline.sources.decoding import average_fps, warn_if_unavailable
from pipeline.sources.live_reader import LiveReader
from pipeline.sources.picture import picture_of
from pipeline.sources.source import Frame, Source

# Frames that a busy computer takes this much later look as if the camera's clock were behind ...
_LOAD_S = 30.0
# ... which it is only if that lasts for this long while the computer is not overloaded.
_LASTING_S = 60.0
# A declared frame rate above this is not plausible and is ignored.
_MOST_FPS = 240.0


class LiveSource:
    """One live camera. It reconnects indefinitely until ``status.closing`` is set.

    Only a recording behind an address has an end; ``fault`` then says why it ended early. Size and
    rate are unknown (0) before the first connection and change with the stream; a rate that the
    stream does not state is measured during its first seconds. Creating a source
    opens nothing: `probe` and `frames` do. No message contains the password. ``clock`` returns
    seconds UTC. Raises UserError if the address cannot be that of a camera.
    """

    live = True
    span = None

    def __init__(
        self,
        camera_id: str,
        source: str,
        config: CameraConfig,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.camera_id = camera_id
        self._interruption = ""
        self.width = self.height = 0
        self.fps = config.fps or 0.0
        self.status = CameraStatus(camera_id, config.live, clock)
        self._config = config
        self._clock = clock
        self._address = address_of(source, config)
        self._times = CaptureClock(config.live.clock)
        self._clock_error_logged = False
        self._clock_error_since: float | None = None
        # Timestamp of the last frame that was passed on.
        self._offered_at = -math.inf

    @property
    def timestamp_origin(self) -> str:
        """Where timestamps come from: rtcp (the camera's clock) or arrival."""
        return self.status.timestamp_origin

    @property
    def remote(self) -> bool:
        """Whether it is behind a network, and not a webcam."""
        return self._address.input_format is None

    @property
    def fault(self) -> str:
        """Why no frame has arrived, or why a recording ended early; else empty."""
        return self._interruption if self.status.frames else self.status.phase().reason

    def probe(self) -> NoConnection | None:
        """Connect once to learn size and frame rate; returns why that failed, or None."""
        try:
            connection = connect(self._address, self._config, quick=False)
        except NoConnection as failed:
            return failed
        with connection.container:
            self._read_properties(connection)
        return None

    def frames(self) -> Iterator[Frame]:
        """Every usable frame, without end. Iterate only once."""
        warn_if_unavailable(self._config.hwaccel, self.camera_id)
        attempt, wait_s = 0, 0.0
        while not self.status.closing.wait(wait_s):
            began = self._clock()
            connection = self._connect()
            if connection is not None:
                yield from self._read(connection)
                if connection.recorded:
                    return
                if self._clock() - began > wait_s:
                    attempt = 0
            wait_s = retry_delay(self._config.live, attempt)
            attempt += 1

    def _connect(self) -> Connection | None:
        self.status.connection_attempted()
        try:
            # The rate of a camera that could not be probed is still to be learned.
            connection = connect(self._address, self._config, quick=self.fps > 0)
        except NoConnection as failed:
            self.status.connection_lost(str(failed))
            return None
        self.status.connections += 1
        self._read_properties(connection)
        return connection

    def _read_properties(self, connection: Connection) -> None:
        context = connection.stream.codec_context
        self.width, self.height = context.width, context.height
        fps = average_fps(connection.stream)
        # A rate that was measured before is more reliable than the declared one.
        if not self.fps and 0 < fps <= _MOST_FPS and connection.timed:
            self.fps = fps

    def _read(self, connection: Connection) -> Iterator[Frame]:
        self._times.restart()
        silence_s = self._config.live.read_timeout_s
        reader = LiveReader(connection, self._times, self.status, silence_s, self._clock)
        rate = FrameRate()
        with connection.container:
            for timestamp, picture in reader.frames():
                self._warn_clock_error()
                self.fps = self.fps or rate.measured(timestamp)
                if timestamp - self._offered_at < self.status.spacing_s:
                    self.status.shed += 1
                    continue
                self._offered_at = timestamp
                image = picture_of(picture)
                self.height, self.width = image.shape
                yield Frame(self.camera_id, self.status.frames - 1, timestamp, image)
        if not connection.recorded:
            self.status.connection_lost(f"lost {self._address.name}: {reader.end_reason}")
        elif reader.interrupted:
            count = self.status.frames
            ended = f"{self._address.name} ended after {count} frames"
            self._interruption = f"{ended}: {reader.end_reason}"

    def _warn_clock_error(self) -> None:
        """Log once that the camera's clock is wrong."""
        off = self._times.rejected_offset_s
        if off is None or self._clock_error_logged:
            self._clock_error_since = None
            return
        if -_LOAD_S < off < 0 and not self._is_lasting():
            return
        self._clock_error_logged = True
        self.status.warn(
            f"its clock is {abs(off):.1f} s {'ahead' if off > 0 else 'behind'}, so frames have "
            "their time of arrival. Set the clock of the camera, or live.clock: camera"
        )

    def _is_lasting(self) -> bool:
        """Whether the clock has been wrong for long, without an overload of this computer."""
        now = self._clock()
        if self._clock_error_since is None or self.status.spacing_s:
            self._clock_error_since = now
        return now - self._clock_error_since >= _LASTING_S


# Probing mostly waits for the network; therefore many cameras are probed in parallel.
_AT_ONCE = 64


def check_reachable(sources: Sequence[Source], *, waits: bool = False) -> None:
    """Probe the live cameras among ``sources``; one that does not answer is only logged.

    Raises UserError when every source is a camera with a permanent fault: a wrong password, host
    or path. It also does so for a webcam that is missing or of no use, where only files and webcams
    are followed, unless the site ``waits`` for what comes later.
    """
    faults = probe_all(sources)
    permanent = [str(fault) for fault in faults if fault.permanent]
    here = not any(isinstance(one, LiveSource) and one.remote for one in sources)
    if permanent and (len(permanent) == len(sources) or (here and not waits)):
        raise UserError("; ".join(permanent))


def probe_all(sources: Sequence[Source]) -> list[NoConnection]:
    """Probe the live cameras among ``sources``; returns the failures."""
    cameras = [source for source in sources if isinstance(source, LiveSource)]
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="probe") as pool:
        faults = list(pool.map(LiveSource.probe, cameras))
    for camera, fault in zip(cameras, faults, strict=True):
        if fault is not None:
            camera.status.connection_lost(str(fault))
    return [fault for fault in faults if fault is not None]
