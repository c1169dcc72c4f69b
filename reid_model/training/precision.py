"""In what numbers a step is computed, and the step that follows from a loss."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.amp.grad_scaler import GradScaler
from torch.optim import Adam

from reid_model.training.recipe import Precision


@dataclass(frozen=True, slots=True)
class Descent:
    """An optimiser, and where and in what precision it works.

    ``scaler`` keeps small gradients alive in float16 and does nothing otherwise.
    """

    optimiser: Adam
    scaler: GradScaler
    device: str
    precision: Precision

    def autocast(self) -> torch.autocast:
        """The context in which networks run; losses are computed outside it."""
        return autocast(self.device, self.precision)

    def step(self, loss: Tensor) -> None:
        """One step down the gradient of ``loss``."""
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.step(self.optimiser)
        self.scaler.update()


def autocast(device: str, precision: Precision) -> torch.autocast:
    """The context in which networks multiply in ``precision``."""
    dtype = torch.float16 if precision == "float16" else torch.bfloat16
    return torch.autocast(torch.device(device).type, dtype=dtype, enabled=precision != "float32")


def new_scaler(device: str, precision: Precision) -> GradScaler:
    """A scaler of gradients. Raises ValueError for float16 on the CPU."""
    kind = torch.device(device).type
    if precision == "float16" and kind == "cpu":
        raise ValueError("precision float16 needs a GPU: use bfloat16 or float32 on the CPU")
    return GradScaler(kind, enabled=precision == "float16")


def placed(pictures: Tensor, device: str) -> Tensor:
    """Pictures ``(B, 3, H, W)`` on the device, channels last: convolutions are fastest so."""
    return pictures.to(device, non_blocking=True, memory_format=torch.channels_last)
