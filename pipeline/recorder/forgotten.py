"""Which parts of which tracks are forgotten: what of them comes later is not taken.

When somebody is forgotten, what their cameras saw may still be on its way, and an open track still
carries the looks of its beginning.
"""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from msgspec.structs import replace
from numpy.typing import NDArray

from pipeline.bus.messages import TrackletMessage, pack, unpack
from pipeline.run_directory.schema import Mask, TrackPart
from trackers.tracklet import TrackletKey

# No track is open for longer.
_REMEMBERED_S = 86_400.0


class Forgotten:
    """The forgotten ``parts``, by track."""

    def __init__(self, parts: Iterable[TrackPart]) -> None:
        self._parts: dict[TrackletKey, list[TrackPart]] = {}
        self.add(parts)

    @property
    def parts(self) -> list[TrackPart]:
        """All of them, for who starts again."""
        return [part for parts in self._parts.values() for part in parts]

    def add(self, parts: Iterable[TrackPart]) -> None:
        """Forget these too."""
        for part in parts:
            self._parts.setdefault(part.key, []).append(part)

    def clear(self, at: float) -> None:
        """Let go of those of which nothing can come any more at ``at``, seconds UTC."""
        parts = [p for p in self.parts if p.before is None or p.before >= at - _REMEMBERED_S]
        self._parts.clear()
        self.add(parts)

    def of_rows(self, camera_id: str, rows: pa.Table) -> Mask:
        """Which of the observations of a camera are forgotten."""
        tracks = np.asarray(rows["track_id"].to_numpy())
        times = np.asarray(rows["timestamp"].to_numpy())
        gone = np.zeros(len(tracks), bool)
        for name, track_id in self._parts.keys() & {(camera_id, int(t)) for t in np.unique(tracks)}:
            gone |= (tracks == track_id) & self._covers((name, track_id), times)
        return gone

    def observations(self, camera_id: str, rows: pa.Table) -> pa.Table:
        """The observations of a camera that are left of ``rows``; ``rows`` itself when all are."""
        gone = self.of_rows(camera_id, rows)
        return rows.filter(pa.array(~gone)) if gone.any() else rows

    def tracklet(self, message: TrackletMessage) -> TrackletMessage | None:
        """What is left of a tracklet, None when nothing is.

        Its thumbnail may show what is forgotten, so there is none.
        """
        key = message.camera_id, message.track_id
        if key not in self._parts:
            return message
        path, times = unpack(message.path), unpack(message.exemplar_times)
        seen, known = ~self._covers(key, path[:, 0]), ~self._covers(key, times)
        if not seen.any():
            return None
        moments = path[seen, 0]
        ends = self._covers(key, np.array([message.start, message.end]))
        return replace(
            message,
            start=float(moments[0]) if ends[0] else message.start,
            end=float(moments[-1]) if ends[1] else message.end,
            # The path is thinned out alike everywhere.
            count=max(round(message.count * float(seen.mean())), 1),
            exemplars=pack(unpack(message.exemplars)[known]),
            qualities=pack(unpack(message.qualities)[known]),
            exemplar_times=pack(times[known]),
            path=pack(path[seen]),
            ground=None if message.ground is None else pack(unpack(message.ground)[seen]),
            thumbnail=None,
        )

    def _covers(self, key: TrackletKey, times: NDArray[np.float64]) -> Mask:
        covered = [part.covers(times) for part in self._parts[key]]
        return np.asarray(np.any(covered, axis=0), bool)
