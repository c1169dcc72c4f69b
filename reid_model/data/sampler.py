"""Batches of P identities with K pictures each."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PKSampler:
    """Batches of ``identities`` x ``images`` pictures (CLIP-ReID, Li et al. 2023).

    ``labels`` ``(N,)`` is the identity of every picture. An epoch depends on ``seed`` and its
    number only, so a training can resume from those two (and, within an epoch, by skipping the
    batches already used).

    Raises ValueError when there are fewer than ``identities`` people: there would be no batch.
    """

    labels: NDArray[np.int64]
    seed: int = 1234
    identities: int = 16
    images: int = 4

    def __post_init__(self) -> None:
        people = len(np.unique(self.labels))
        if people < self.identities or min(self.identities, self.images) < 1:
            raise ValueError(
                f"batches of {self.identities} identities x {self.images} pictures cannot be made "
                f"of {people} identities. Lower the number of identities in a batch"
            )

    def epoch(self, number: int) -> list[list[int]]:
        """The batches of epoch ``number``: indices into ``labels``, the K of a person adjacent.

        The pictures of a person are shuffled and cut into groups of K; the rest is dropped, and
        fewer than K are drawn with replacement. Each batch takes one group of each of P people,
        drawn among those with groups left, until fewer than P people have any.
        """
        random = np.random.default_rng([self.seed, number])
        remaining = [self._groups(person, random) for person in np.unique(self.labels)]
        batches = []
        while len(remaining) >= self.identities:
            drawn = random.choice(len(remaining), self.identities, replace=False)
            batches.append([index for person in drawn for index in remaining[person].pop()])
            remaining = [groups for groups in remaining if groups]
        return batches

    def _groups(self, person: np.int64, random: np.random.Generator) -> list[list[int]]:
        pictures = np.flatnonzero(self.labels == person)
        if len(pictures) < self.images:
            return [random.choice(pictures, self.images, replace=True).tolist()]
        shuffled = random.permutation(pictures)
        whole = len(shuffled) - len(shuffled) % self.images
        groups: list[list[int]] = shuffled[:whole].reshape(-1, self.images).tolist()
        return groups
