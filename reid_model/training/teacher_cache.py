"""Teachers' embeddings of augmented pictures, kept on disk for epochs that repeat the pictures."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from reid_model.training.model_files import read_weights_file, write_weights

_FORMAT = "fusetrack-answers-1"


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
