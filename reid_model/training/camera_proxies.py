"""Learning to know people across cameras: each picture against proxies, one a person and camera.

Camera-aware proxies (Wang et al., AAAI 2021): what is asked of a vector is that it is nearer to the
same person before *other* cameras than to anybody else of its data set. People of two data sets
are never compared: telling those apart is no use to anybody.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


class CameraProxies:
    """A unit vector for each person before each camera, which follows what the network says.

    ``vectors`` ``(N, D)`` are those of all training pictures at the start; ``identities``,
    ``cameras`` and ``sets`` ``(N,)`` say who, seen by which camera, in which data set; no two sets
    share an identity. ``momentum`` is how far a proxy moves towards a vector seen.
    """

    def __init__(
        self,
        vectors: Tensor,
        identities: Tensor,
        cameras: Tensor,
        sets: Tensor,
        momentum: float = 0.2,
    ) -> None:
        pairs, self.rows = torch.unique(
            torch.stack([identities, cameras], dim=1), dim=0, return_inverse=True
        )
        self.people = pairs[:, 0]  # (P,)
        self.sets = torch.empty(len(pairs), dtype=sets.dtype)
        self.sets[self.rows] = sets
        sums = torch.zeros(len(pairs), vectors.shape[1]).index_add_(0, self.rows, vectors)
        self.vectors = F.normalize(sums, dim=1)  # (P, D)
        self.momentum = momentum

    def loss(self, vectors: Tensor, pictures: Tensor, temperature: float = 0.05) -> Tensor:
        """Unit vectors ``(B, D)`` of the training pictures ``(B,)``: minus the log probability of
        the person before each other camera, against everybody else of the set.

        A person that only one camera has seen is compared with that camera's proxy.
        """
        own = self.rows[pictures]  # (B,)
        logits = vectors.float() @ self.vectors.T / temperature  # (B, P)
        same = self.people[own][:, None] == self.people  # (B, P)
        impostors = (self.sets[own][:, None] == self.sets) & ~same
        elsewhere = same & (own[:, None] != torch.arange(len(self.people)))
        positives = torch.where(elsewhere.any(dim=1, keepdim=True), elsewhere, same)
        against = logits.masked_fill(~impostors, -torch.inf).logsumexp(dim=1, keepdim=True)
        missed = torch.logaddexp(against, logits) - logits  # (B, P), each positive by itself
        return (missed * positives).sum(dim=1).div(positives.sum(dim=1)).mean()

    def follow(self, vectors: Tensor, pictures: Tensor) -> None:
        """Move the proxies of the pictures ``(B,)`` towards their unit vectors ``(B, D)``."""
        for row, vector in zip(self.rows[pictures].tolist(), vectors.detach(), strict=True):
            moved = torch.lerp(self.vectors[row], vector, self.momentum)
            self.vectors[row] = F.normalize(moved, dim=0)
