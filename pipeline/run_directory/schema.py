"""Columns of the run directory's tables and the record of a camera."""

import msgspec
import numpy as np
import pyarrow as pa
from msgspec.structs import replace
from numpy.typing import NDArray

from trackers.tracklet import TrackletKey

#: One row a person a frame. Boxes are xyxy pixels, timestamp is seconds UTC, ground is metres.
OBSERVATIONS = pa.schema(
    [
        ("frame_index", pa.int64()),
        ("timestamp", pa.float64()),
        ("track_id", pa.int64()),
        ("x1", pa.float32()),
        ("y1", pa.float32()),
        ("x2", pa.float32()),
        ("y2", pa.float32()),
        ("score", pa.float32()),
        ("ground_x", pa.float64()),
        ("ground_y", pa.float64()),
    ]
)

#: One row a closed track. ``embedding`` is the quality-weighted mean exemplar, a unit vector.
TRACKLETS = pa.schema(
    [
        ("camera_id", pa.string()),
        ("track_id", pa.int64()),
        ("start", pa.float64()),
        ("end", pa.float64()),
        ("n", pa.int64()),
        ("embedding", pa.list_(pa.float32())),
        ("quality", pa.float32()),
        ("thumbnail", pa.string()),
    ]
)

#: The event log. The last event of a track says whose it is; ``at`` is event time, seconds UTC. A
#: track may show one person after another: an event is about the part that begins at ``since``,
#: seconds UTC, and ends at the next ``since`` of that track; null stands for its start. The
#: ``state`` is probable or confirmed; a track without an event is unknown.
IDENTITIES = pa.schema(
    [
        ("camera_id", pa.string()),
        ("track_id", pa.int64()),
        ("global_id", pa.int64()),
        ("confidence", pa.float32()),
        ("kind", pa.string()),
        ("reason", pa.string()),
        ("at", pa.float64()),
        ("since", pa.float64()),
        ("state", pa.string()),
    ]
)


class CameraRecord(msgspec.Struct, frozen=True):
    """What a run knows of one camera.

    ``source`` carries no password; ``width`` and ``height`` are pixels after rotation;
    ``timestamp_origin`` says where the first timestamp comes from (config, container, epoch,
    rtcp, arrival or recorded).
    ``state`` is running, complete, partial or removed, and ``detail`` the reason for partial, or
    what a live camera is while it gives no frames. ``dropped`` frames of a live camera came too
    late or were too many. ``removed`` is when it was taken from a running site, seconds UTC.
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


Mask = NDArray[np.bool_]


class TrackPart(msgspec.Struct, frozen=True):
    """What a track shows from ``first`` (None: its start) until just before ``before`` (None: its
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
        """This part as far as it is earlier than ``before``."""
        return replace(self, before=before if self.before is None else min(self.before, before))

    def covers(self, times: NDArray[np.float64]) -> Mask:
        """Which of the times are in it."""
        first = -np.inf if self.first is None else self.first
        before = np.inf if self.before is None else self.before
        return np.asarray((times >= first) & (times < before))
