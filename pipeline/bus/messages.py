"""The messages on the streams: typed, versioned structs in MessagePack."""

import math
import re
import sys
from functools import lru_cache
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.run_directory.schema import CameraRecord
from trackers.association.corrections import Correction, Part
from trackers.ground.view import View
from trackers.tracklet import Tracklet

#: Version of the layout below; messages of other versions are rejected.
VERSION = 3

# Vectors are compared by their cosine, for which this is exact enough.
_HALF = np.dtype(np.float16).str

_NUMBERS = re.compile(r"<f[248]|<[iu][248]|\|[biu]1")

# The name of the folder camera_id=NAME, and a file name has at most 255 bytes.
_LONGEST_ID = 245
_CAMERA_ID = re.compile(r"(?!\.+\Z)[A-Za-z0-9_.-]+")
_CameraId = Annotated[
    str, msgspec.Meta(pattern=rf"\A{_CAMERA_ID.pattern}\Z", max_length=_LONGEST_ID)
]
# A column of the run directory holds 64 bits.
_MOST = 2**63 - 1
_Number = Annotated[int, msgspec.Meta(ge=0, le=_MOST)]
# Far in the future, but such a time can be computed with.
_LATEST_S = 1e11
_NO_TIME = "expected finite times in seconds UTC, before the year 5000"
# Embeddings are unit vectors; those of larger ones would overflow.
_LARGEST = 1e3
# A path inside the run directory: another one could remove or name a foreign file.
_Thumbnail = Annotated[
    str,
    msgspec.Meta(pattern=r"\Athumbnails/(?!\.+/)[A-Za-z0-9_.-]{1,245}/[0-9]{1,19}\.jpg\Z"),
]

# A thumbnail has some ten thousand bytes.
_Picture = Annotated[bytes, msgspec.Meta(max_length=1_000_000)]


_Model = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{0,64}\Z")]


class Array(msgspec.Struct, array_like=True, frozen=True):
    """A numeric numpy array on the wire: dtype, shape and C-ordered bytes.

    Raises ValueError when they do not match.
    """

    dtype: str
    shape: tuple[int, ...]
    data: bytes

    def __post_init__(self) -> None:
        size = _size_of(self.dtype)
        if size is None or min(self.shape, default=0) < 0:
            raise ValueError(f"expected a numeric array, got {self.dtype} {self.shape}")
        expected = size * math.prod(self.shape)
        if len(self.data) != expected:
            raise ValueError(
                f"expected {expected} bytes for {self.dtype} {self.shape}, got {len(self.data)}"
            )


@lru_cache(maxsize=64)
def _size_of(dtype: str) -> int | None:
    """The bytes of one number; None when it is no numeric type of the wire."""
    return np.dtype(dtype).itemsize if _NUMBERS.fullmatch(dtype) else None


def pack(array: NDArray[Any]) -> Array:
    """``array`` in its wire form."""
    return Array(array.dtype.str, array.shape, np.ascontiguousarray(array).tobytes())


def unpack(array: Array) -> NDArray[Any]:
    """The numpy array, read-only."""
    return np.ndarray(array.shape, array.dtype, array.data)


class ObservationsMessage(msgspec.Struct, tag="observations", frozen=True):
    """The tracked people of one camera over several frames: N rows, one per person and frame.

    ``frame_index`` and ``track_id`` are ``(N,)`` int64, ``timestamp`` ``(N,)`` float64 seconds
    UTC, ``boxes`` ``(N, 4)`` float32 xyxy pixels, ``scores`` ``(N,)`` float32, ``ground``
    ``(N, 2)`` float64 metres (NaN where unknown) or None without calibration, ``sizes`` ``(N, 2)``
    int32 width and height of the frame in pixels or None if unknown. Raises ValueError when the
    lengths or types differ, a number is not finite, or one that counts is negative.
    """

    camera_id: _CameraId
    frame_index: Array
    timestamp: Array
    track_id: Array
    boxes: Array
    scores: Array
    ground: Array | None = None
    sizes: Array | None = None

    def __post_init__(self) -> None:
        rows = self.frame_index.shape
        columns = {rows, self.timestamp.shape, self.track_id.shape, self.scores.shape}
        pairs = {array.shape for array in (self.ground, self.sizes) if array is not None}
        wide = self.boxes.shape == (*rows, 4) and pairs <= {(*rows, 2)}
        if len(rows) != 1 or columns != {rows} or not wide:
            raise ValueError(f"the columns of camera {self.camera_id} differ in length")
        _check_kind("i", frame_index=self.frame_index, track_id=self.track_id)
        _check_kind("f", timestamp=self.timestamp, boxes=self.boxes, scores=self.scores)
        _check_finite(*map(unpack, (self.boxes, self.scores)))
        _check_times_of(unpack(self.timestamp))
        _check_positive(self.frame_index, self.track_id)
        if self.ground is not None:
            _check_kind("f", ground=self.ground)
            _check_ground(self.ground)
        if self.sizes is not None:
            _check_kind("i", sizes=self.sizes)
            _check_positive(self.sizes)


class CameraMessage(msgspec.Struct, tag="camera", frozen=True):
    """The current state of a camera. Raises ValueError when it cannot be recorded."""

    camera: CameraRecord

    def __post_init__(self) -> None:
        camera = self.camera
        _check_camera_id(camera.camera_id)
        _check_finite(camera.fps, camera.start, camera.end, camera.removed or 0.0)
        _check_times(camera.start, camera.end, camera.removed or 0.0)
        _check_finite(camera.followed_fps, camera.delay_s, camera.overloaded_s)


class TrackletMessage(msgspec.Struct, tag="tracklet", frozen=True):
    """A track so far; see `trackers.tracklet.Tracklet` for the arrays.

    Of an open track mostly only what is new is sent: ``fresh`` are the rows of ``qualities`` and
    ``exemplar_times`` whose vectors are in ``exemplars``, None for all of them, and of the path
    only what is later than ``after`` is here, None for all of it. `joined` adds what was known.

    ``at`` is the event time of this revision, seconds UTC. ``picture`` is the JPEG of the
    ``thumbnail`` where the node could not write it into the run directory itself. ``exemplars``,
    ``text_vectors`` and ``visibilities`` are float16, the last two for the recorder only; ``model``
    is the hash of the network that made the vectors, empty if unknown. Raises ValueError when the
    arrays do not form a valid tracklet.
    """

    at: float
    camera_id: str
    track_id: _Number
    revision: _Number
    start: float
    end: float
    count: _Number
    closed: bool
    exemplars: Array
    qualities: Array
    exemplar_times: Array
    path: Array
    ground: Array | None = None
    thumbnail: _Thumbnail | None = None
    picture: _Picture | None = None
    text_vectors: Array | None = None
    visibilities: Array | None = None
    model: _Model = ""
    fresh: list[_Number] | None = None
    after: float | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it needs nothing that was sent before."""
        return self.fresh is None and self.after is None

    def __post_init__(self) -> None:
        _check_camera_id(self.camera_id)
        _check_times(self.at, self.start, self.end, self.after or 0.0, earliest=-_LATEST_S)
        if self.ground is not None:
            _check_ground(self.ground)
        if self.fresh is not None:
            _check_fresh(self)
        tracklet = tracklet_of(self)
        if tracklet.exemplars.ndim != 2:
            raise ValueError(f"exemplars must be (K, D), got {tracklet.exemplars.shape}")
        if tracklet.qualities.ndim != 1 or tracklet.exemplar_times.ndim != 1:
            raise ValueError("qualities and exemplar_times must be (K,)")
        _check_kind("f", exemplars=self.exemplars, qualities=self.qualities, path=self.path)
        # Only ground points may be NaN.
        _check_finite(tracklet.exemplars, tracklet.qualities, tracklet.exemplar_times)
        _check_finite(tracklet.path)
        if np.maximum.reduce(np.abs(tracklet.exemplars), axis=None, initial=0.0) > _LARGEST:
            raise ValueError("expected exemplars that are unit vectors")
        for of_crops in (self.text_vectors, self.visibilities):
            if of_crops is not None:
                _check_kind("f", text_vectors=of_crops)
                _check_finite(unpack(of_crops))
                if len(of_crops.shape) != 2 or of_crops.shape[0] != len(tracklet.exemplars):
                    raise ValueError(f"expected a row for each exemplar, got {of_crops.shape}")


class WatermarkMessage(msgspec.Struct, tag="watermark", frozen=True):
    """All messages of this camera up to ``timestamp``, seconds UTC, have been sent.

    With ``ended`` the camera sends no more. Raises ValueError when the time is none.
    """

    camera_id: _CameraId
    timestamp: float
    ended: bool = False

    def __post_init__(self) -> None:
        _check_times(self.timestamp)


class ViewOfGround(msgspec.Struct, frozen=True):
    """A camera's view of the ground plane, see `trackers.ground.view.View`.

    ``projection`` is ``(3, 4)`` float64. Raises ValueError for another shape.
    """

    projection: Array
    sees_height: bool

    def __post_init__(self) -> None:
        if self.projection.shape != (3, 4):
            raise ValueError(f"expected a projection (3, 4), got {self.projection.shape}")
        _check_finite(unpack(self.projection))


class JoinMessage(msgspec.Struct, tag="join", frozen=True):
    """A live camera takes part from here on, even if it had ended before.

    ``view`` is its view of the ground plane, None without calibration.
    """

    camera_id: _CameraId
    view: ViewOfGround | None = None


class NodeMessage(msgspec.Struct, tag="node", frozen=True):
    """A node is running and may add cameras at any time; when not ``open``, it has stopped."""

    node: str
    open: bool


class IdentityMessage(msgspec.Struct, tag="identity", frozen=True):
    """Assigns a global id to a track. ``at`` is event time, seconds UTC.

    It applies to the part of the track from ``since`` (seconds UTC, None for its start) until the
    ``since`` of a later message. ``state`` is probable or confirmed. ``runners_up`` are others that
    it could have been, with the confidence of each. Raises ValueError when a number is not finite.
    """

    camera_id: _CameraId
    track_id: _Number
    global_id: _Number
    confidence: float
    kind: str
    reason: str
    at: float
    since: float | None = None
    state: str = "probable"
    runners_up: list[tuple[_Number, float]] = []

    def __post_init__(self) -> None:
        _check_finite(self.confidence, *(confidence for _, confidence in self.runners_up))
        _check_times(self.at, self.since or 0.0, earliest=-_LATEST_S)


class ForgetMessage(msgspec.Struct, tag="forget", frozen=True):
    """Forget this person with all data up to ``at``, seconds UTC.

    ``tracks`` are the camera and track ids that the associator has assigned to the person. Raises
    ValueError when the time is none.
    """

    global_id: _Number
    at: float
    tracks: list[tuple[_CameraId, _Number]]

    def __post_init__(self) -> None:
        _check_times(self.at)


class CorrectMessage(msgspec.Struct, tag="correct", frozen=True):
    """Make a correction, which was checked with all corrections up to number ``known``.

    ``parts`` are the parts of tracks of the people concerned, as far as they are recorded, and
    ``last_seen`` when each person was seen last, seconds UTC. The ``changes`` of an undo are in the
    correction; its parts that are ``free`` are decided automatically again. It takes effect once
    the moment ``after`` of event time is decided, or at once. Raises ValueError when a time or an
    id is none.
    """

    correction: Correction
    known: _Number
    parts: list[Part] = []
    last_seen: dict[int, float] = {}
    free: list[tuple[str, int, float | None]] = []
    after: float | None = None

    def __post_init__(self) -> None:
        _check_correction(self.correction)
        for part in self.parts:
            _check_part(*part.key)
            _check_numbers(part.global_id)
            _check_times(part.start, part.end, earliest=-_LATEST_S)
        for key in self.free:
            _check_part(*key)
        _check_times(self.after or 0.0, *self.last_seen.values(), earliest=-_LATEST_S)


class CorrectionMessage(msgspec.Struct, tag="correction", frozen=True):
    """A correction was made; the identities of its changes were sent before it.

    Raises ValueError when a time or an id is none.
    """

    correction: Correction

    def __post_init__(self) -> None:
        _check_correction(self.correction)


class EndMessage(msgspec.Struct, tag="end", frozen=True):
    """Every camera has ended: the associator sends no more identities.

    Raises ValueError when the time is none.
    """

    at: float

    def __post_init__(self) -> None:
        _check_times(self.at)


Message = (
    ObservationsMessage
    | CameraMessage
    | TrackletMessage
    | WatermarkMessage
    | JoinMessage
    | NodeMessage
    | IdentityMessage
    | ForgetMessage
    | CorrectMessage
    | CorrectionMessage
    | EndMessage
)

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


def _check_correction(correction: Correction) -> None:
    for change in correction.changes:
        _check_part(*change.key)
    times = (correction.event_time, correction.moment, correction.since)
    _check_times(correction.at, *(time or 0.0 for time in times), earliest=-_LATEST_S)
    numbers = (correction.number, correction.undoes, correction.track_id)
    _check_numbers(*correction.people, *(number or 0 for number in numbers))


def _check_part(camera_id: str, track_id: int, since: float | None) -> None:
    _check_camera_id(camera_id)
    _check_numbers(track_id)
    _check_times(since or 0.0, earliest=-_LATEST_S)


def _check_numbers(*numbers: int) -> None:
    if not all(0 <= number <= _MOST for number in numbers):
        raise ValueError("expected ids of at least 0, of 64 bits")


def _check_finite(*values: float | NDArray[Any]) -> None:
    for value in values:
        # As `all`, which takes longer for so few.
        if not np.logical_and.reduce(np.isfinite(value), axis=None):
            raise ValueError("expected finite numbers, got NaN or infinity")


def _check_positive(*arrays: Array) -> None:
    if any((unpack(array) < 0).any() for array in arrays):
        raise ValueError("expected frame indices, track ids and sizes of at least 0")


def _check_fresh(message: TrackletMessage) -> None:
    rows, known = message.fresh or [], message.qualities.shape
    if sorted({*rows}) != rows or known != message.exemplar_times.shape or len(known) != 1:
        raise ValueError("expected rows of qualities and exemplar_times, in order")
    if message.closed or (rows and rows[-1] >= known[0]):
        raise ValueError("expected all exemplars of a closed track, and rows that there are")
    _check_finite(unpack(message.qualities), unpack(message.exemplar_times))


def _check_ground(ground: Array) -> None:
    if np.isinf(unpack(ground)).any():
        raise ValueError("expected ground points that are finite, or NaN where unknown")


def _check_kind(kind: str, **arrays: Array) -> None:
    for name, array in arrays.items():
        if np.dtype(array.dtype).kind != kind:
            expected = {"i": "signed whole", "f": "floating-point"}[kind]
            raise ValueError(f"expected {expected} numbers in {name}, got {array.dtype}")


def _check_camera_id(camera_id: str) -> None:
    if len(camera_id) > _LONGEST_ID or not _CAMERA_ID.fullmatch(camera_id):
        raise ValueError(
            f"expected a camera name of at most {_LONGEST_ID} characters A-Z a-z 0-9 _ - . that "
            f"are not only dots, got {camera_id[:60]!r}"
        )


def _check_times(*values: float, earliest: float = -sys.float_info.max) -> None:
    # A camera without frames ends at the earliest moment that there is.
    for value in values:
        if not earliest <= value <= _LATEST_S:
            raise ValueError(_NO_TIME)


def _check_times_of(values: NDArray[np.floating[Any]]) -> None:
    if not (np.abs(values) <= _LATEST_S).all():
        raise ValueError(_NO_TIME)


def encode(message: Message) -> bytes:
    """``message`` in MessagePack."""
    return _encoder.encode(message)


def decode(data: bytes) -> Message:
    """The message in ``data``.

    Raises msgspec.DecodeError, ValueError or RecursionError when it is not a known message.
    """
    message = _decoder.decode(data)
    if isinstance(message, TrackletMessage) and message.exemplars.dtype != _HALF:
        raise ValueError(f"expected exemplars of {_HALF}, got {message.exemplars.dtype}")
    return message


def tracklet_message(
    tracklet: Tracklet,
    at: float,
    thumbnail: str | None = None,
    picture: bytes | None = None,
    model: str = "",
) -> TrackletMessage:
    """``tracklet`` in its wire form, whole."""
    return TrackletMessage(
        at=at,
        camera_id=tracklet.camera_id,
        track_id=tracklet.track_id,
        revision=tracklet.revision,
        start=tracklet.start,
        end=tracklet.end,
        count=tracklet.count,
        closed=tracklet.closed,
        exemplars=pack(tracklet.exemplars.astype(np.float16)),
        qualities=pack(tracklet.qualities),
        exemplar_times=pack(tracklet.exemplar_times),
        path=pack(tracklet.path),
        ground=None if tracklet.ground is None else pack(tracklet.ground),
        thumbnail=thumbnail,
        picture=picture,
        text_vectors=_packed_half(tracklet.text_vectors),
        visibilities=_packed_half(tracklet.visibilities),
        model=model,
    )


def _packed_half(array: NDArray[np.float32] | None) -> Array | None:
    return None if array is None else pack(array.astype(np.float16))


def tracklet_of(message: TrackletMessage) -> Tracklet:
    """What ``message`` has of the tracklet, without what is for the recorder only."""
    qualities, times = unpack(message.qualities), unpack(message.exemplar_times)
    if message.fresh is not None:
        qualities, times = qualities[message.fresh], times[message.fresh]
    return Tracklet(
        camera_id=message.camera_id,
        track_id=message.track_id,
        revision=message.revision,
        start=message.start,
        end=message.end,
        count=message.count,
        closed=message.closed,
        exemplars=unpack(message.exemplars).astype(np.float32),
        qualities=qualities,
        exemplar_times=times,
        path=unpack(message.path),
        ground=None if message.ground is None else unpack(message.ground),
    )


def view_message(view: View) -> ViewOfGround:
    """``view`` in its wire form."""
    return ViewOfGround(pack(view.projection), view.sees_height)


def view_of_message(message: ViewOfGround) -> View:
    """The view in ``message``."""
    return View(unpack(message.projection), message.sees_height)
