"""Columns of the run directory's tables, the record of a camera and parts of tracks."""

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import replace
from numpy.typing import NDArray

from trackers.tracklet import TrackletKey

#: The version of this schema, in RUN/schema.json. Version 1 had no such file, no columns ``time``,
#: ``frame_width`` and ``frame_height``, and called the folders of observations ``camera=ID``.
VERSION = 2

_TIME = pa.timestamp("us", tz="UTC")

#: One row per person and frame. Boxes are xyxy pixels, timestamp is seconds UTC and time the same
#: as a date, ground is metres, frame_width and frame_height the frame's pixels (null: unknown).
OBSERVATIONS = pa.schema(
    [
        ("frame_index", pa.int64()),
        ("timestamp", pa.float64()),
        ("time", _TIME),
        ("track_id", pa.int64()),
        ("x1", pa.float32()),
        ("y1", pa.float32()),
        ("x2", pa.float32()),
        ("y2", pa.float32()),
        ("score", pa.float32()),
        ("ground_x", pa.float64()),
        ("ground_y", pa.float64()),
        ("frame_width", pa.int32()),
        ("frame_height", pa.int32()),
    ]
)

#: One row per closed track. ``embedding`` is the quality-weighted mean exemplar, a unit vector;
#: ``start`` and ``end`` are seconds UTC, ``time`` is the start as a date, ``n`` is the number of
#: observations. ``text_vector`` is a unit vector that is compared with sentences and
#: ``visibilities`` how much was seen of each part of the body at best, 0..1; null from a network
#: that does not give them. ``model`` is the hash of that network, null if unknown. Segments of
#: earlier releases lack these three.
TRACKLETS = pa.schema(
    [
        ("camera_id", pa.string()),
        ("track_id", pa.int64()),
        ("time", _TIME),
        ("start", pa.float64()),
        ("end", pa.float64()),
        ("n", pa.int64()),
        ("embedding", pa.list_(pa.float32())),
        ("quality", pa.float32()),
        ("thumbnail", pa.string()),
        ("text_vector", pa.list_(pa.float16())),
        ("visibilities", pa.list_(pa.float16())),
        ("model", pa.string()),
    ]
)

#: The event log. The last event of a track holds its global id; ``at`` is event time, seconds UTC,
#: and ``time`` the same as a date. A track may show several people in turn: an event applies to the
#: part from ``since``, seconds UTC (null for the start of the track), to the next ``since`` of that
#: track. ``state`` is probable or confirmed; a track without an event is unknown.
#: ``runners_up`` are the next people that a first decision could have been for, null if there were
#: none or an earlier release did not record them.
IDENTITIES = pa.schema(
    [
        ("camera_id", pa.string()),
        ("track_id", pa.int64()),
        ("global_id", pa.int64()),
        ("confidence", pa.float32()),
        ("kind", pa.string()),
        ("reason", pa.string()),
        ("at", pa.float64()),
        ("time", _TIME),
        ("since", pa.float64()),
        ("state", pa.string()),
        (
            "runners_up",
            pa.list_(pa.struct([("global_id", pa.int64()), ("confidence", pa.float32())])),
        ),
    ]
)

_SECONDS = ("timestamp", "start", "at")
_ADDED = (
    "time",
    "frame_width",
    "frame_height",
    "text_vector",
    "visibilities",
    "model",
    "runners_up",
)


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """``table`` with the columns of ``schema``; those that earlier releases lack are filled in.

    ``time`` is computed from the seconds. Raises ArrowException, KeyError or ValueError when
    another column is missing or values do not fit.
    """
    for name in _ADDED:
        if name in schema.names and name not in table.column_names:
            kind = schema.field(name).type
            values = _times(table) if name == "time" else pa.nulls(len(table), kind)
            table = table.append_column(name, values)
    return table.select(schema.names).cast(schema)


def _times(table: pa.Table) -> pa.ChunkedArray:
    seconds = table[next(name for name in _SECONDS if name in table.column_names)]
    micros = pc.round(pc.multiply(seconds.cast(pa.float64()), 1e6))
    return micros.cast(pa.int64()).cast(_TIME)


class CameraRecord(msgspec.Struct, frozen=True):
    """The state of one camera in a run.

    ``source`` contains no password; ``width`` and ``height`` are pixels after rotation;
    ``timestamp_origin`` is the origin of the first timestamp (config, container, epoch, rtcp,
    arrival or recorded). ``state`` is running, complete, partial or removed; ``detail`` is the
    reason for partial, or the status of a live camera that delivers no frames. ``dropped`` counts
    the frames of a live camera that were too late or too many. ``removed`` is the time at which it
    was removed from a running site, seconds UTC. Of a live camera ``followed_fps`` frames a second
    are followed, ``delay_s`` seconds after their arrival; where a busy node leaves out most of
    them it is ``overloaded``, ``overloaded_s`` seconds so far.
    """

    camera_id: str
    source: str
    width: int
    height: int
    fps: float
    frames: int
    start: float
    end: float
    timestamp_origin: str
    state: str
    detail: str = ""
    dropped: int = 0
    removed: float | None = None
    followed_fps: float = 0.0
    delay_s: float = 0.0
    overloaded: bool = False
    overloaded_s: float = 0.0


Mask = NDArray[np.bool_]


class TrackPart(msgspec.Struct, frozen=True):
    """The part of a track from ``first`` (None: its start) until just before ``before`` (None: its
    end), seconds UTC.
    """

    camera_id: str
    track_id: int
    first: float | None = None
    before: float | None = None

    @property
    def key(self) -> TrackletKey:
        """Camera and track id."""
        return self.camera_id, self.track_id

    def until(self, before: float) -> "TrackPart":
        """This part cut off at ``before``, seconds UTC."""
        return replace(self, before=before if self.before is None else min(self.before, before))

    def covers(self, times: NDArray[np.float64]) -> Mask:
        """Mask ``(N,)`` of the ``times`` ``(N,)``, seconds UTC, inside this part."""
        first = -np.inf if self.first is None else self.first
        before = np.inf if self.before is None else self.before
        return np.asarray((times >= first) & (times < before))
