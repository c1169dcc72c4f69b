"""What other networks say of training pictures: once, or anew each time a picture was changed.

A teacher that sees what the student sees has a right answer for every picture that can be made,
also for one that shows nobody (Beyer et al. 2022, "Knowledge distillation: a good teacher is
patient and consistent").
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from reid_model.data.transforms import IMAGENET
from reid_model.embedder import Embedder
from reid_model.training.recipe import TeacherView


@dataclass(frozen=True, slots=True)
class Teacher:
    """``says`` gives the embeddings ``(B, dimension)`` of the pictures with these places in the
    set, and as they are now: normalised RGB ``(B, 3, H, W)``.
    """

    dimension: int
    says: Callable[[list[int], Tensor], Tensor]


def teacher_of(given: Tensor | Embedder, pictures: int, view: TeacherView) -> Teacher:
    """A teacher from its embeddings ``(N, E)`` of the plain pictures, or from the network itself,
    which embeds each augmented picture.

    Raises ValueError when ``given`` is not what ``view`` needs, or when the embeddings are not as
    many as the ``pictures`` of the set.
    """
    if isinstance(given, Embedder) != (view == "augmented"):
        wanted = {"augmented": "an Embedder", "plain": "its embeddings of the training pictures"}
        raise ValueError(f"with teacher_view {view} a teacher must be given as {wanted[view]}")
    if isinstance(given, Embedder):
        return Teacher(given.dimension, lambda places, seen: _embedded(given, seen))
    if len(given) != pictures:
        raise ValueError(f"a teacher speaks of {len(given)} pictures, but there are {pictures}")
    return Teacher(given.shape[1], lambda places, seen: given[places])


def _embedded(embedder: Embedder, seen: Tensor) -> Tensor:
    bgr = IMAGENET.invert(seen).flip(1).permute(0, 2, 3, 1)  # (B, H, W, 3)
    return torch.from_numpy(embedder.embed(list(np.ascontiguousarray(bgr.numpy()))))
