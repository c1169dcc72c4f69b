"""Teachers: networks whose embeddings of the training pictures the student learns from.

A teacher that gets the same augmented picture as the student has a target for each of them, also
for one without an identity (Beyer et al. 2022, "Knowledge distillation: a good teacher is patient
and consistent"). For epochs that repeat the pictures the embeddings are kept on disk.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from reid_model.data.transforms import IMAGENET
from reid_model.embedder import Embedder
from reid_model.training.model_files import read_weights_file, write_weights
from reid_model.training.recipe import TeacherView

_FORMAT = "fusetrack-answers-1"


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


class TeacherCache:
    """The embeddings of the ``batches`` of one epoch, in a file of ``folder``.

    The file is written atomically once all batches are embedded, in order. Raises ValueError when
    the file is damaged.
    """

    def __init__(self, folder: Path, epoch: int, batches: int) -> None:
        self._path = folder / f"epoch-{epoch:05d}.safetensors"
        self._batches = batches
        self._new: list[list[Tensor]] = []
        self._stored = self._read()

    def embeddings(self, step: int, compute: Callable[[], list[Tensor]]) -> list[Tensor]:
        """Each teacher's embeddings ``(B, E)`` of batch ``step``: from the file, or computed.

        Raises OSError when the folder cannot be written.
        """
        if self._stored is not None:
            return [teacher[step] for teacher in self._stored]
        computed = compute()
        if step == len(self._new):
            self._new.append(computed)
            if len(self._new) == self._batches:
                self._write()
        return computed

    def _read(self) -> list[Tensor] | None:
        if not self._path.is_file():
            return None
        _, state = read_weights_file(self._path, _FORMAT, "cache of teachers' embeddings")
        return [state[f"teacher{number}"] for number in range(len(state))]

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        teachers = enumerate(zip(*self._new, strict=True))
        state = {f"teacher{number}": torch.stack(batches).cpu() for number, batches in teachers}
        write_weights(self._path, state, _FORMAT, {})
        self._new = []
