"""What other networks say of training pictures: once, or anew each time a picture was changed.

A teacher that sees what the student sees has a right answer for every picture that can be made,
also for one that shows nobody (Beyer et al. 2022, "Knowledge distillation: a good teacher is
patient and consistent").
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reid_model.data.transforms import IMAGENET
from reid_model.embedder import Embedder


@dataclass(frozen=True, slots=True)
class Teacher:
    """``says`` gives the embeddings ``(B, dimension)`` of the pictures with these places in the
    set, and as they are now: normalised RGB ``(B, 3, H, W)``.
    """

    dimension: int
    says: Callable[[list[int], Tensor], Tensor]


def teacher_of(given: Tensor | Embedder, pictures: int) -> Teacher:
    """The one who said ``(N, E)`` of the unchanged pictures, or who looks at each changed one.

    Raises ValueError when there are not as many as the ``pictures`` of the set.
    """
    if isinstance(given, Embedder):
        return Teacher(given.dimension, lambda places, seen: _embedded(given, seen))
    if len(given) != pictures:
        raise ValueError(f"a teacher speaks of {len(given)} pictures, but there are {pictures}")
    return Teacher(given.shape[1], lambda places, seen: given[places])


def _embedded(embedder: Embedder, seen: Tensor) -> Tensor:
    return torch.from_numpy(embedder.embed(list(_as_crops(seen))))


def _as_crops(seen: Tensor) -> NDArray[np.uint8]:
    """Normalised RGB ``(B, 3, H, W)`` as BGR pictures ``(B, H, W, 3)``, uint8."""
    mean, std = (torch.tensor(of)[:, None, None] for of in (IMAGENET.mean, IMAGENET.std))
    pixels = ((seen * std + mean) * 255).round().clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(pixels.flip(1).permute(0, 2, 3, 1).numpy())
