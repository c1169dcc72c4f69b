"""A camera that is watched as it happens: an RTSP or HTTP address, or a webcam."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from pipeline.config.schema import CameraConfig
from pipeline.errors import UserError
from pipeline.frame import Frame
from pipeline.sources.camera_status import Life, waits
from pipeline.sources.clock import CaptureClock
from pipeline.sources.connection import Connection, NoConnection, address_of, connect
from pipeline.sources.decoding import average_fps, tell_why_not, to_image
from pipeline.sources.live_reader import Watching
from pipeline.sources.source import Source

# A stream that says nothing sensible of its frame rate has none that is known.
_MOST_FPS = 240.0


class LiveSource:
    """One live camera, which is called again whenever it is lost, until ``life.closing`` is set.

    Only a recording, behind an address that says how long it is, has an end; ``fault`` then says
    why it broke off. Size and rate are unknown (0) before the first connection, and change with
    the stream. Nothing is opened here: `probe` and `frames` do. No message holds the password.
    ``clock`` gives seconds UTC. Raises UserError for an address that cannot be a camera's.
    """

    live = True

    def __init__(
        self,
        camera_id: str,
        source: str,
        config: CameraConfig,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.camera_id = camera_id
        self._broke_off = ""
        self.width = self.height = 0
        self.fps = config.fps or 0.0
        self.life = Life(camera_id, config.live, clock)
        self._config = config
        self._clock = clock
        self._address = address_of(source, config)
        self._times = CaptureClock(config.live.clock)
        self._distrust_told = False

    @property
    def timestamp_origin(self) -> str:
        """Whose time the frames have: rtcp (the camera's own) or arrival."""
        return self.life.origin

    @property
    def fault(self) -> str:
        """Why not one frame came, or why a recording broke off; else empty."""
        return self._broke_off if self.life.frames else self.life.phase().reason

    def probe(self) -> NoConnection | None:
        """Connect once, to know what is sent; returns why that failed."""
        try:
            connection = connect(self._address, self._config, quick=False)
        except NoConnection as failed:
            return failed
        with connection.container:
            self._learn(connection)
        return None

    def frames(self) -> Iterator[Frame]:
        """Every frame worth showing, for ever. To be read once."""
        tell_why_not(self._config.hwaccel, self.camera_id)
        attempt, wait_s = 0, 0.0
        while not self.life.closing.wait(wait_s):
            began = self._clock()
            connection = self._connected()
            if connection is not None:
                yield from self._watched(connection)
                if connection.recorded:
                    return
                if self._clock() - began > wait_s:
                    attempt = 0
            wait_s = waits(self._config.live, attempt)
            attempt += 1

    def _connected(self) -> Connection | None:
        self.life.connecting()
        try:
            connection = connect(self._address, self._config, quick=True)
        except NoConnection as failed:
            self.life.lost(str(failed))
            return None
        self.life.connections += 1
        self._learn(connection)
        return connection

    def _learn(self, connection: Connection) -> None:
        context = connection.stream.codec_context
        self.width, self.height = context.width, context.height
        fps = average_fps(connection.stream)
        # What is learnt in a hurry is only better than nothing.
        if not self.fps and 0 < fps <= _MOST_FPS and connection.timed:
            self.fps = fps

    def _watched(self, connection: Connection) -> Iterator[Frame]:
        self._times.restart()
        silence_s = self._config.live.read_timeout_s
        watching = Watching(connection, self._times, self.life, silence_s, self._clock)
        with connection.container:
            for timestamp, picture in watching.frames():
                self._tell_distrust()
                image = to_image(picture)
                self.height, self.width = image.shape[:2]
                yield Frame(self.camera_id, self.life.frames - 1, timestamp, image)
        if not connection.recorded:
            self.life.lost(f"lost {self._address.name}: {watching.ended}")
        elif watching.broken:
            count = self.life.frames
            self._broke_off = f"{self._address.name} ended after {count} frames: {watching.ended}"

    def _tell_distrust(self) -> None:
        """Say once that the camera's clock is wrong."""
        if self._times.distrusted_s is None or self._distrust_told:
            return
        self._distrust_told = True
        off = self._times.distrusted_s
        self.life.tell(
            f"its clock is {abs(off):.1f} s {'ahead' if off > 0 else 'behind'}, so frames have "
            "their time of arrival. Set the clock of the camera, or live.clock: camera"
        )


# A camera that does not answer takes its time and nothing else.
_AT_ONCE = 64


def probe(sources: Sequence[Source]) -> None:
    """Learn what the live cameras among ``sources`` send; who does not answer is only told.

    Raises UserError when there is no source but cameras that a person must mend first: a wrong
    password, host or path.
    """
    faults = call(sources)
    mistakes = [str(fault) for fault in faults if fault.mistake]
    if mistakes and len(mistakes) == len(sources):
        raise UserError("; ".join(mistakes))


def call(sources: Sequence[Source]) -> list[NoConnection]:
    """Learn what the live cameras among ``sources`` send; returns why others did not answer."""
    cameras = [source for source in sources if isinstance(source, LiveSource)]
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="probe") as pool:
        faults = list(pool.map(LiveSource.probe, cameras))
    for camera, fault in zip(cameras, faults, strict=True):
        if fault is not None:
            camera.life.lost(str(fault))
    return [fault for fault in faults if fault is not None]
