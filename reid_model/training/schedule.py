"""Learning rates by epoch, counted from 1 (CLIP-ReID, Li et al. 2023)."""

import math

from reid_model.training.recipe import Stage1Recipe, Stage2Recipe


def stage1_rate(epoch: int, recipe: Stage1Recipe) -> float:
    """The learning rate of an epoch: a line up from ``warm_up_rate``, then a cosine down.

    The cosine runs over all epochs, those of the warm-up too, and ends at ``final_rate``.
    """
    if epoch < recipe.warm_up_epochs:
        rise = recipe.learning_rate - recipe.warm_up_rate
        return recipe.warm_up_rate + rise * epoch / recipe.warm_up_epochs
    swing = 0.5 * (1 + math.cos(math.pi * epoch / recipe.epochs))
    return recipe.final_rate + (recipe.learning_rate - recipe.final_rate) * swing


def stage2_rate(epoch: int, recipe: Stage2Recipe) -> float:
    """The learning rate of an epoch: a line up, then a step down at each milestone."""
    return recipe.learning_rate * stage2_factor(epoch, recipe)


def stage2_factor(epoch: int, recipe: Stage2Recipe) -> float:
    """What the base learning rate is multiplied by: ``w0 (1 - e / 10) + e / 10`` before epoch 10,
    and ``decay`` once for every milestone up to ``e``, or a cosine that ends at its square.
    """
    factor = _fallen(epoch, recipe)
    if epoch < recipe.warm_up_epochs:
        done = epoch / recipe.warm_up_epochs
        factor *= recipe.warm_up_factor * (1 - done) + done
    return factor


def _fallen(epoch: int, recipe: Stage2Recipe) -> float:
    if recipe.fall == "steps":
        return recipe.decay ** sum(milestone <= epoch for milestone in recipe.milestones)
    lowest = recipe.decay**2
    return lowest + (1 - lowest) * 0.5 * (1 + math.cos(math.pi * epoch / recipe.epochs))
