"""Detect identity switches within a track by appearance.

Where people cross, a tracker may continue on the wrong person. Two successive crops that match each
other, but match the track less well than crops of one person in two cameras do, are a switch.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

# Number of crops that establish the person of a track, and number that establish another person.
_KNOWN, _OTHER = 2, 2


@dataclass(frozen=True, slots=True)
class SamePerson:
    """The threshold above which two crops show the same person.

    ``midpoint`` applies to cosines after removing ``common``, the mean cosine of impostor pairs.
    """

    midpoint: float
    common: float

    def alike(self, a: NDArray[np.float32], b: NDArray[np.float32]) -> bool:
        """Whether two vectors ``(D,)`` of any length show the same person."""
        return self.likeness(a, b) >= self.midpoint

    def likeness(self, a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
        """The cosine of two vectors ``(D,)`` of any length, after removing ``common``."""
        length = math.sqrt(float(a @ a) * float(b @ b))
        cosine = float(a @ b) / max(length, 1e-9)
        return (cosine - self.common) / (1 - self.common)


@dataclass(slots=True)
class Continuity:
    """The person of a track: the sum ``(D,)`` of its ``crops``, and the deviating crops since."""

    crops: int = 0
    total: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    doubted: list[tuple[float, NDArray[np.float32]]] = field(default_factory=list)

    @classmethod
    def of(cls, crops: Sequence[NDArray[np.float32]]) -> "Continuity":
        """That of a track that showed one person, in these crops ``(D,)``."""
        return cls(len(crops), np.sum(crops, axis=0)) if crops else cls()

    def add(self, time: float, vector: NDArray[np.float32], same: SamePerson) -> float | None:
        """Add the next crop; returns the time of a switch to another person, else None.

        After a switch the deviating crops define the person of the track.
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
