"""Filters the forgotten parts of tracks out of messages that arrive later.

When a person is forgotten, messages about them may still be in the streams, and an open track still
contains exemplars from before.
"""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from msgspec.structs import replace
from numpy.typing import NDArray

from pipeline.bus.messages import Array, TrackletMessage, pack, unpack
from pipeline.run_directory.schema import Mask, TrackPart
from trackers.tracklet import TrackletKey

# No track stays open for longer than this.
_KEPT_S = 86_400.0


class ForgottenParts:
    """The forgotten ``parts``, by track."""

    def __init__(self, parts: Iterable[TrackPart]) -> None:
        self._parts: dict[TrackletKey, list[TrackPart]] = {}
        self.add(parts)

    @property
    def parts(self) -> list[TrackPart]:
        """All parts, for a restarted process."""
        return [part for parts in self._parts.values() for part in parts]

    def add(self, parts: Iterable[TrackPart]) -> None:
        """Add forgotten parts."""
        for part in parts:
            self._parts.setdefault(part.key, []).append(part)

    def expire(self, at: float) -> None:
        """Drop the parts of which no message can arrive after ``at``, seconds UTC."""
        parts = [p for p in self.parts if p.before is None or p.before >= at - _KEPT_S]
        self._parts.clear()
        self.add(parts)

    def mask(self, camera_id: str, rows: pa.Table) -> Mask:
        """Mask ``(N,)`` bool of the forgotten observations among the N ``rows`` of a camera."""
        tracks = np.asarray(rows["track_id"].to_numpy())
        times = np.asarray(rows["timestamp"].to_numpy())
        forgotten = np.zeros(len(tracks), bool)
        for name, track_id in self._parts.keys() & {(camera_id, int(t)) for t in np.unique(tracks)}:
            forgotten |= (tracks == track_id) & self._covers((name, track_id), times)
        return forgotten

    def filter_observations(self, camera_id: str, rows: pa.Table) -> pa.Table:
        """``rows`` of a camera without forgotten observations; ``rows`` itself if none are."""
        if not self._parts:
            return rows
        forgotten = self.mask(camera_id, rows)
        return rows.filter(pa.array(~forgotten)) if forgotten.any() else rows

    def concerns(self, key: TrackletKey) -> bool:
        """Whether a part of this track is forgotten."""
        return key in self._parts

    def filter_tracklet(self, message: TrackletMessage) -> TrackletMessage | None:
        """A tracklet without its forgotten parts, None when nothing is left.

        A changed tracklet has no thumbnail, because that may show the forgotten person.
        """
        key = message.camera_id, message.track_id
        if key not in self._parts:
            return message
        path, times = unpack(message.path), unpack(message.exemplar_times)
        in_path, in_exemplars = ~self._covers(key, path[:, 0]), ~self._covers(key, times)
        if not in_path.any():
            return None
        moments = path[in_path, 0]
        ends = self._covers(key, np.array([message.start, message.end]))
        return replace(
            message,
            start=float(moments[0]) if ends[0] else message.start,
            end=float(moments[-1]) if ends[1] else message.end,
            # The path is subsampled uniformly, so its kept fraction estimates the count.
            count=max(round(message.count * float(in_path.mean())), 1),
            exemplars=pack(unpack(message.exemplars)[in_exemplars]),
            qualities=pack(unpack(message.qualities)[in_exemplars]),
            exemplar_times=pack(times[in_exemplars]),
            text_vectors=_kept(message.text_vectors, in_exemplars),
            visibilities=_kept(message.visibilities, in_exemplars),
            path=pack(path[in_path]),
            ground=None if message.ground is None else pack(unpack(message.ground)[in_path]),
            thumbnail=None,
            picture=None,
        )

    def _covers(self, key: TrackletKey, times: NDArray[np.float64]) -> Mask:
        covered = [part.covers(times) for part in self._parts[key]]
        return np.asarray(np.any(covered, axis=0), bool)


def _kept(packed: Array | None, rows: Mask) -> Array | None:
    return None if packed is None else pack(unpack(packed)[rows])
