"""Tracks of one camera that met: whether each goes on as itself or as the other, by appearance.

When two tracks come apart, crops of both are embedded and compared with what they showed before.
"""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.node.crops import Crop, crop_of
from pipeline.sources.source import FramePicture
from trackers.detections import Detections
from trackers.single_camera.continuity import Meetings, Parting, SamePerson, are_exchanged, is_taken
from trackers.single_camera.crops import CropSelector, SelectedCrop
from trackers.single_camera.track_log import TrackLog


@dataclass(frozen=True, slots=True, eq=False)
class _Comparison:
    """Tracks that have come apart, and embeddings ``(D,)`` since of those that are not lost."""

    parting: Parting
    after: dict[int, NDArray[np.float32]]


@dataclass(frozen=True, slots=True, eq=False)
class ComparedCrop(Crop):
    """A crop that is no exemplar, but shows who came out of a meeting."""

    comparison: _Comparison


@dataclass(frozen=True, slots=True)
class Exchange:
    """Two tracks that were exchanged in the track log: new ids by old, from ``since`` on."""

    names: dict[int, int]
    since: float


class MetTracks:
    """Compares the tracks in ``log`` that met; ``choice`` selects the crops of the camera."""

    def __init__(self, log: TrackLog, choice: CropSelector[Crop], same: SamePerson) -> None:
        self._log = log
        self._choice = choice
        self._same = same
        self._meetings = Meetings()

    def update(
        self,
        tracked: Detections,
        is_fit: Callable[[int], bool],
        picture: FramePicture | None,
        timestamp: float,
    ) -> list[SelectedCrop[Crop]]:
        """The crops to embed because tracks have come apart in this frame; those that are together
        show themselves more often.

        ``is_fit`` tells of the row of a box whether its quality is sufficient.
        """
        partings = self._meetings.update(tracked, is_fit, timestamp)
        # The tracker may take one for the other, also a while after they have come apart.
        for tracker_id in self._meetings.tracks():
            self._choice.shorten(tracker_id, timestamp)
        return [crop for p in partings for crop in self._crops(p, tracked, picture, timestamp)]

    def _crops(
        self,
        parting: Parting,
        tracked: Detections,
        picture: FramePicture | None,
        timestamp: float,
    ) -> list[SelectedCrop[Crop]]:
        assert tracked.track_ids is not None
        comparison = _Comparison(parting, {})
        ids = tracked.track_ids.tolist()
        before = [self._choice.take_before(i, parting.since) for i in (parting.one, parting.other)]
        crops = [crop for crop in before if crop is not None]
        for tracker_id in (parting.one,) if parting.lost else (parting.one, parting.other):
            shown = crop_of(tracked, ids.index(tracker_id), picture)
            crop = ComparedCrop(shown.image, shown.embedding, shown.people, comparison)
            crops.append(SelectedCrop(tracker_id, timestamp, 0.0, crop))
        return crops

    def compare(
        self,
        crop: ComparedCrop,
        tracker_id: int,
        embedding: NDArray[np.float32],
        closing: Collection[int],
    ) -> Exchange | None:
        """Add the embedding ``(D,)`` of a compared crop; exchange the tracks when they went on as
        each other and neither is ``closing``.
        """
        parting, after = crop.comparison.parting, crop.comparison.after
        after[tracker_id] = embedding
        if len(after) < (1 if parting.lost else 2):
            return None
        # What both were just before, whatever they stand for since.
        at = math.nextafter(parting.since, -math.inf)
        one, other = (self._log.track_at(i, at) for i in (parting.one, parting.other))
        if one is None or other is None or one == other or {one, other} & {*closing}:
            return None
        if self._went_on_as_each_other(one, other, parting, after):
            if self._log.exchange(one, other, parting.since):
                return Exchange({one: other, other: one}, parting.since)
        return None

    def _went_on_as_each_other(
        self, one: int, other: int, parting: Parting, after: dict[int, NDArray[np.float32]]
    ) -> bool:
        before = [self._log.embedding_before(track_id, parting.since) for track_id in (one, other)]
        if before[0] is None or before[1] is None:
            return False
        if parting.lost:
            return is_taken(before[0], before[1], after[parting.one], self._same)
        now = after[parting.one], after[parting.other]
        return are_exchanged((before[0], before[1]), now, self._same)
