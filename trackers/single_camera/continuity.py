"""Whether a track still shows the person with whom it began.

Where people cross, a tracker may go on with the wrong one. Two crops in a row that look like one
another, and less like the track than one person looks in two cameras, are somebody else's.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

# A track shows somebody when so many crops have shown them; so many show somebody else.
_KNOWN, _OTHER = 2, 2


@dataclass(frozen=True, slots=True)
class SamePerson:
    """From which cosine on two crops show one person: ``midpoint`` of those from which is taken the
    mean cosine of two people, ``common``."""

    midpoint: float
    common: float

    def alike(self, a: NDArray[np.float32], b: NDArray[np.float32]) -> bool:
        """Whether two vectors ``(D,)`` of any length are so."""
        length = math.sqrt(float(a @ a) * float(b @ b))
        cosine = float(a @ b) / max(length, 1e-9)
        return (cosine - self.common) / (1 - self.common) >= self.midpoint


@dataclass(slots=True)
class Continuity:
    """The person whom a track shows: the sum ``(D,)`` of so many ``crops``, and those in doubt."""

    crops: int = 0
    total: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    doubted: list[tuple[float, NDArray[np.float32]]] = field(default_factory=list)

    def add(self, time: float, vector: NDArray[np.float32], same: SamePerson) -> float | None:
        """Take the next crop; the time since when it is somebody else, None while it is not.

        From then on these are the one whom the track shows.
        """
        if self.crops < _KNOWN or same.alike(vector, self.total):
            self.total = self.total + vector if self.crops else vector
            self.crops += 1
            self.doubted.clear()
            return None
        if self.doubted and not same.alike(vector, self.doubted[-1][1]):
            self.doubted.clear()
        self.doubted.append((time, vector))
        if len(self.doubted) < _OTHER:
            return None
        since = self.doubted[0][0]
        self.crops = len(self.doubted)
        self.total = np.sum([doubted for _, doubted in self.doubted], axis=0)
        self.doubted.clear()
        return since
