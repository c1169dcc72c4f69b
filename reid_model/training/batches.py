"""Batches of pictures from disk, the random batches of stage 1, and the transforms of a recipe."""

import signal
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, TypeVar

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from reid_model.data.transforms import IMAGENET, EvaluationTransform, TrainTransform
from reid_model.training.recipe import Recipe

Item = TypeVar("Item")


def loader(pictures: Dataset[Item], batches: Sequence[list[Any]], workers: int) -> DataLoader[Item]:
    """A loader of ``batches`` of keys, in order, in ``workers`` processes; 0 reads in this one."""
    return DataLoader(
        pictures,
        batch_sampler=batches,
        num_workers=workers,
        worker_init_fn=_ignore_signals,
        pin_memory=torch.cuda.is_available(),
        # Its own generator: the loader draws from it, which must not advance the training's state.
        generator=torch.Generator(),
    )


def _ignore_signals(worker: int) -> None:
    """The training ends its workers: a signal to the whole group must not end them before it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def random_batches(count: int, size: int, seed: int, epoch: int) -> list[list[int]]:
    """The indices 0..count-1 in random batches of ``size``, other ones each epoch; the last may be
    smaller, but is never empty.
    """
    order = np.random.default_rng([seed, epoch]).permutation(count).tolist()
    return [order[start : start + size] for start in range(0, count, size)]


def train_transform(recipe: Recipe) -> TrainTransform:
    """The recipe's augmentation of training pictures."""
    height, width = recipe.model.image_size
    augment = asdict(recipe.augment)
    # It takes two people: the data set mixes their pictures.
    del augment["mix"]
    return TrainTransform(height, width, IMAGENET, **augment)


def evaluation_transform(image_size: tuple[int, int]) -> EvaluationTransform:
    """The transform without augmentation, for pictures of any size."""
    return EvaluationTransform(*image_size, IMAGENET)
