"""Which crops of a track are worth embedding: the best one of every spell of time."""

from dataclasses import dataclass
from typing import Generic, TypeVar

Crop = TypeVar("Crop")

# Timestamps are rounded: a frame that comes this little early still opens the next spell.
_ROUNDING_S = 1e-3


@dataclass(frozen=True, slots=True)
class Chosen(Generic[Crop]):
    """The best crop of one spell of a track."""

    track_id: int
    timestamp: float
    quality: float
    crop: Crop


class CropChoice(Generic[Crop]):
    """Keeps, for each track, the best crop of the current spell of ``spacing_s`` seconds.

    Spells are counted from the first offer of a track. Crops below ``min_quality`` never count.
    """

    def __init__(self, spacing_s: float, min_quality: float) -> None:
        self._spacing_s = spacing_s
        self._min_quality = min_quality
        self._first: dict[int, float] = {}
        self._best: dict[int, Chosen[Crop]] = {}

    def wants(self, track_id: int, quality: float) -> bool:
        """Whether a crop of this quality would be kept; ask before copying pixels."""
        best = self._best.get(track_id)
        return quality >= self._min_quality and (best is None or quality > best.quality)

    def offer(self, track_id: int, timestamp: float, quality: float, crop: Crop) -> None:
        """Keep the crop as the best of the current spell, in place of the one before.

        Call `take_finished` first, and offer only what `wants` wants.
        """
        self._first.setdefault(track_id, timestamp)
        self._best[track_id] = Chosen(track_id, timestamp, quality, crop)

    def take_finished(self, timestamp: float) -> list[Chosen[Crop]]:
        """The best crops of the spells that were over at ``timestamp``, by track."""
        finished = [
            track_id
            for track_id, best in self._best.items()
            if self._spell(track_id, best.timestamp) < self._spell(track_id, timestamp)
        ]
        return [self._best.pop(track_id) for track_id in sorted(finished)]

    def close(self, track_id: int) -> Chosen[Crop] | None:
        """Forget a track that has ended; returns the crop that was still waiting."""
        self._first.pop(track_id, None)
        return self._best.pop(track_id, None)

    def _spell(self, track_id: int, timestamp: float) -> int:
        since = timestamp - self._first[track_id]
        return int((since + _ROUNDING_S) / self._spacing_s)
