"""Teachers: networks whose embeddings of the training pictures the student learns from.

A teacher that gets the same augmented picture as the student has a target for each of them, also
for one without an identity (Beyer et al. 2022, "Knowledge distillation: a good teacher is patient
and consistent").
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
    """``embed`` gives the embeddings ``(B, dimension)`` of pictures, from their indices in the set
    and the pictures as augmented: normalised RGB ``(B, 3, H, W)``.
    """

    dimension: int
    embed: Callable[[list[int], Tensor], Tensor]


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
        return Teacher(given.dimension, lambda indices, augmented: _embedded(given, augmented))
    if len(given) != pictures:
        raise ValueError(
            f"a teacher has embeddings of {len(given)} pictures, but there are {pictures}"
        )
    return Teacher(given.shape[1], lambda indices, augmented: given[indices])


def _embedded(embedder: Embedder, augmented: Tensor) -> Tensor:
    bgr = IMAGENET.invert(augmented).flip(1).permute(0, 2, 3, 1)  # (B, H, W, 3)
    return torch.from_numpy(embedder.embed(list(np.ascontiguousarray(bgr.numpy()))))
