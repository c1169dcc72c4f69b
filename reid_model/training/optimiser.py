"""What is trained in which stage, and how fast."""

from collections.abc import Iterator

from torch import nn
from torch.optim import Adam

from reid_model.training.recipe import Mode, Recipe

#: Batch normalisations whose shift stays zero (CLIP-ReID, Li et al. 2023).
_NEVER = ("model.neck_img.bias", "model.neck_proj.bias")


def is_trained(name: str, stage: int, mode: Mode) -> bool:
    """Whether the parameter ``name`` of `reid_model.training.parts.Parts` learns in this stage.

    Stage 1: the prompts, and in mode B MSCSA. Stage 2: everything but the prompts.
    """
    if stage == 1:
        return name.startswith("prompts.") or (mode == "B" and name.startswith("model.trunk.mscsa"))
    return not name.startswith("prompts.") and name not in _NEVER


def stage_optimiser(parts: nn.Module, stage: int, recipe: Recipe) -> Adam:
    """Adam over what learns in this stage; everything else is frozen.

    The groups have a ``factor``, by which `set_rate` multiplies: biases learn faster in stage 2.
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
    """Parameters that learn, weights and biases apart; a group without any is left out."""
    learning = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
    for is_bias, factor in ((False, 1.0), (True, bias_factor)):
        chosen = [p for name, p in learning if ("bias" in name.rsplit(".")[-1]) == is_bias]
        if chosen:
            yield {"params": chosen, "factor": factor}


def set_rate(optimiser: Adam, rate: float) -> None:
    """Every group learns at ``rate`` times its factor from now on."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group["factor"]
