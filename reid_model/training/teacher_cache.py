"""What teachers said of the changed pictures of an epoch, kept for when these come again."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from reid_model.training.model_files import read_weights_file, write_weights

_FORMAT = "fusetrack-answers-1"


class Answers:
    """The answers to the ``batches`` of an epoch, in a file of ``folder``.

    It is written when all have been answered from the first on: it is there as a whole or not at
    all. Raises ValueError when it is damaged.
    """

    def __init__(self, folder: Path, epoch: int, batches: int) -> None:
        self._path = folder / f"epoch-{epoch:05d}.safetensors"
        self._batches = batches
        self._new: list[list[Tensor]] = []
        self._known = self._read()

    def to(self, step: int, ask: Callable[[], list[Tensor]]) -> list[Tensor]:
        """What each teacher says of batch ``step``, ``(B, E)``: as they did before, or asked now.

        Raises OSError when the folder cannot be written.
        """
        if self._known is not None:
            return [said[step] for said in self._known]
        answer = ask()
        if step == len(self._new):
            self._new.append(answer)
            if len(self._new) == self._batches:
                self._write()
        return answer

    def _read(self) -> list[Tensor] | None:
        if not self._path.is_file():
            return None
        _, state = read_weights_file(self._path, _FORMAT, "answers of teachers")
        return [state[f"teacher{number}"] for number in range(len(state))]

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        teachers = enumerate(zip(*self._new, strict=True))
        state = {f"teacher{number}": torch.stack(said).cpu() for number, said in teachers}
        write_weights(self._path, state, _FORMAT, {})
        self._new = []
