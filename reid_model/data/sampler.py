"""Which pictures meet in a batch: P identities with K pictures each."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PKSampler:
    """Batches of ``identities`` x ``images`` pictures (CLIP-ReID, Li et al. 2023).

    ``labels`` ``(N,)`` is the identity of every picture. An epoch depends on ``seed`` and its
    number only, so a training that stopped goes on from those two (and, within an epoch, by
    leaving out the batches it has seen).

    Raises ValueError when there are fewer than ``identities`` people: no batch could be made.
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
        """The batches of epoch ``number``: indices into ``labels``, the K of a person in a row.

        Every person's pictures are shuffled and cut in groups of K; what is left over is dropped,
        and who has fewer than K is drawn from with replacement. Each batch takes the next group of
        P people drawn from those who have one left, until fewer than P people have.
        """
        random = np.random.default_rng([self.seed, number])
        waiting = [self._groups(person, random) for person in np.unique(self.labels)]
        batches = []
        while len(waiting) >= self.identities:
            drawn = random.choice(len(waiting), self.identities, replace=False)
            batches.append([index for person in drawn for index in waiting[person].pop()])
            waiting = [groups for groups in waiting if groups]
        return batches

    def _groups(self, person: np.int64, random: np.random.Generator) -> list[list[int]]:
        pictures = np.flatnonzero(self.labels == person)
        if len(pictures) < self.images:
            return [random.choice(pictures, self.images, replace=True).tolist()]
        shuffled = random.permutation(pictures)
        whole = len(shuffled) - len(shuffled) % self.images
        groups: list[list[int]] = shuffled[:whole].reshape(-1, self.images).tolist()
        return groups
