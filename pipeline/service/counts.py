"""What is counted while a process works. Each number has one writer; any thread may read."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate

#: Seconds from the capture of a frame to what became of it.
DELAYS_S = (0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
#: Pictures in one call of a network.
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Histogram:
    """How many values were at most as large as each of ``bounds``, and what they add up to."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.total = 0.0
        self._counts = [0] * (len(bounds) + 1)

    def add(self, value: float) -> None:
        """One more value."""
        place = sum(value > bound for bound in self.bounds)
        self._counts[place] += 1
        self.total += value

    def cumulative(self) -> list[int]:
        """How many values were at most each bound; the last number is that of all."""
        return list(accumulate(self._counts))


@dataclass(eq=False, slots=True)
class CameraCounts:
    """One camera: what the node saw and sent, what the associator decided."""

    frames: int = 0
    detections: int = 0
    tracklets: int = 0
    decisions: Counter[str] = field(default_factory=Counter)
    to_sent_s: Histogram = field(default_factory=lambda: Histogram(DELAYS_S))
    to_identity_s: Histogram = field(default_factory=lambda: Histogram(DELAYS_S))
