"""Batches of pictures from disk, and which pictures stage 1 sees together."""

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from reid_model.data.transforms import IMAGENET, EvaluationTransform, TrainTransform
from reid_model.training.recipe import Recipe

Item = TypeVar("Item")


def loader(pictures: Dataset[Item], batches: Sequence[list[Any]], workers: int) -> DataLoader[Item]:
    """Reads ``batches`` of keys in their order, in ``workers`` processes, or in this one for 0."""
    return DataLoader(
        pictures,
        batch_sampler=batches,
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
        # Its own, for the loader draws from it: a resumed training must draw nothing more.
        generator=torch.Generator(),
    )


def random_batches(count: int, size: int, seed: int, epoch: int) -> list[list[int]]:
    """All of 0..count-1 in batches of ``size``, drawn anew each epoch; the last may be smaller,
    but is never empty.
    """
    order = np.random.default_rng([seed, epoch]).permutation(count).tolist()
    return [order[start : start + size] for start in range(0, count, size)]


def train_transform(recipe: Recipe) -> TrainTransform:
    """The recipe's random changes of a training picture."""
    height, width = recipe.model.image_size
    augment = recipe.augment
    return TrainTransform(
        height,
        width,
        IMAGENET,
        flip=augment.flip,
        pad=augment.pad,
        erase=augment.erase,
        tight=augment.tight,
        coarse=augment.coarse,
        recolour=augment.recolour,
        occlude=augment.occlude,
        hue=augment.hue,
    )


def evaluation_transform(image_size: tuple[int, int]) -> EvaluationTransform:
    """What a picture of any size goes through unchanged by chance."""
    return EvaluationTransform(*image_size, IMAGENET)
