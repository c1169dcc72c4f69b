"""The trained parameters and learning rates of each stage, and the optimiser."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.optim import Adam, Optimizer

from reid_model.training.recipe import (
    Recipe,
    Stage1Mode,
    Stage1Recipe,
    Stage2Recipe,
    TrainingPrecision,
)

#: Biases of batch normalisations that stay zero (CLIP-ReID, Li et al. 2023).
_FROZEN = ("model.neck_img.bias", "model.neck_proj.bias")


def is_trained(name: str, stage: int, mode: Stage1Mode) -> bool:
    """Whether the parameter ``name`` of `reid_model.training.build.Parts` is trained here.

    Stage 1: the prompts, and in mode B MSCSA. Stage 2: everything but the prompts.
    """
    if stage == 1:
        return name.startswith("prompts.") or (mode == "B" and name.startswith("model.trunk.mscsa"))
    return not name.startswith("prompts.") and name not in _FROZEN


def stage_optimiser(parts: nn.Module, stage: int, recipe: Recipe) -> Adam:
    """Adam over the parameters of this stage; all others are frozen.

    `set_rate` multiplies the rate by each group's ``factor``: biases learn faster in stage 2.
    """
    for name, parameter in parts.named_parameters():
        parameter.requires_grad_(is_trained(name, stage, recipe.stage1.mode))
    stage_recipe = recipe.stage1 if stage == 1 else recipe.stage2
    bias_factor = 1.0 if stage == 1 else recipe.stage2.bias_factor
    return Adam(
        list(parameter_groups(parts, bias_factor)),
        lr=stage_recipe.learning_rate,
        weight_decay=stage_recipe.weight_decay,
    )


def parameter_groups(module: nn.Module, bias_factor: float) -> Iterator[dict[str, object]]:
    """The trainable parameters, weights and biases separately; empty groups are left out."""
    trainable = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
    for is_bias, factor in ((False, 1.0), (True, bias_factor)):
        chosen = [p for name, p in trainable if ("bias" in name.rsplit(".")[-1]) == is_bias]
        if chosen:
            yield {"params": chosen, "factor": factor}


def set_rate(optimiser: Optimizer, rate: float) -> None:
    """Set the learning rate of each group to ``rate`` times its factor."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group["factor"]


def warmed_cosine(step: int, steps: int, warm_up: int) -> float:
    """The share of the learning rate at a step: it rises over ``warm_up`` steps and falls in a
    cosine over all."""
    rising = min(1.0, (step + 1) / max(warm_up, 1))
    return rising * 0.5 * (1 + math.cos(math.pi * step / steps))


def move_average(average: nn.Module, model: nn.Module, share: float) -> None:
    """Each weight of ``average`` goes ``share`` of the way to ``model``'s."""
    with torch.no_grad():
        theirs = model.state_dict()
        for name, own in average.state_dict().items():
            if own.is_floating_point():
                own.lerp_(theirs[name], share)
            else:
                own.copy_(theirs[name])


def stage1_rate(epoch: int, recipe: Stage1Recipe) -> float:
    """The learning rate of an epoch: linear warm-up from ``warm_up_rate``, then cosine decay.

    The cosine runs over all epochs, including the warm-up, and ends at ``final_rate``.
    """
    if epoch < recipe.warm_up_epochs:
        rise = recipe.learning_rate - recipe.warm_up_rate
        return recipe.warm_up_rate + rise * epoch / recipe.warm_up_epochs
    cosine = 0.5 * (1 + math.cos(math.pi * epoch / recipe.epochs))
    return recipe.final_rate + (recipe.learning_rate - recipe.final_rate) * cosine


def stage2_rate(epoch: int, recipe: Stage2Recipe) -> float:
    """The learning rate of an epoch: linear warm-up, then decay as in the recipe."""
    return recipe.learning_rate * stage2_factor(epoch, recipe)


def stage2_factor(epoch: int, recipe: Stage2Recipe) -> float:
    """The factor of the base learning rate: ``w0 (1 - e / 10) + e / 10`` before epoch ``e`` = 10,
    times ``decay`` for every milestone up to ``e``, or a cosine that ends at ``decay`` squared.
    """
    factor = _decay_factor(epoch, recipe)
    if epoch < recipe.warm_up_epochs:
        done = epoch / recipe.warm_up_epochs
        factor *= recipe.warm_up_factor * (1 - done) + done
    return factor


def _decay_factor(epoch: int, recipe: Stage2Recipe) -> float:
    if recipe.fall == "steps":
        return recipe.decay ** sum(milestone <= epoch for milestone in recipe.milestones)
    lowest = recipe.decay**2
    return lowest + (1 - lowest) * 0.5 * (1 + math.cos(math.pi * epoch / recipe.epochs))


@dataclass(frozen=True, slots=True)
class Descent:
    """An optimiser with its device and precision.

    ``scaler`` keeps small float16 gradients from underflow and does nothing in other precisions.
    """

    optimiser: Adam
    scaler: GradScaler
    device: str
    precision: TrainingPrecision

    def autocast(self) -> torch.autocast:
        """The context in which networks run; losses are computed outside it."""
        return autocast(self.device, self.precision)

    def step(self, loss: Tensor) -> None:
        """One step down the gradient of ``loss``."""
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.step(self.optimiser)
        self.scaler.update()


def autocast(device: str, precision: TrainingPrecision) -> torch.autocast:
    """The context in which networks compute in ``precision``."""
    dtype = torch.float16 if precision == "float16" else torch.bfloat16
    return torch.autocast(torch.device(device).type, dtype=dtype, enabled=precision != "float32")


def new_scaler(device: str, precision: TrainingPrecision) -> GradScaler:
    """A gradient scaler. Raises ValueError for float16 on the CPU."""
    kind = torch.device(device).type
    if precision == "float16" and kind == "cpu":
        raise ValueError("precision float16 needs a GPU: use bfloat16 or float32 on the CPU")
    return GradScaler(kind, enabled=precision == "float16")


def to_device(pictures: Tensor, device: str) -> Tensor:
    """Pictures ``(B, 3, H, W)`` on the device, channels last, which convolutions are fastest in."""
    return pictures.to(device, non_blocking=True, memory_format=torch.channels_last)
