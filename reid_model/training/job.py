"""What a training is given, and what it tells while it works."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reid_model.data.reid_set import ReidSet
from reid_model.networks.clip_text import ClipText
from reid_model.training.recipe import Recipe
from reid_model.training.teachers import Teacher


@dataclass(frozen=True, slots=True)
class Progress:
    """A step is done.

    Of ``features`` and ``measuring`` it is a picture, from which nothing is learned; of the stages
    it is a batch, with its losses and learning rate.
    """

    what: Literal["features", "stage 1", "stage 2", "measuring"]
    step: int
    steps: int
    epoch: int = 1
    epochs: int = 1
    losses: dict[str, float] = field(default_factory=dict)
    learning_rate: float = 0.0
    images_per_s: float = 0.0


class Stopped(Exception):
    """The training was asked to stop, and has kept all it needs to go on."""


@dataclass(frozen=True, slots=True)
class Job:
    """A recipe, its data, and how to go about it; see `reid_model.training.run.train`."""

    recipe: Recipe
    reid_set: ReidSet
    labels: NDArray[np.int64]
    out: Path
    device: str
    text_encoder: ClipText | None
    teachers: tuple[Teacher, ...]
    workers: int
    report: Callable[[Progress], None]
    stop: Callable[[], bool]
    checkpoint_every_s: float

    @property
    def classes(self) -> int:
        """How many identities there are to learn."""
        return len(np.unique(self.labels))

    def epochs(self, stage: int) -> int:
        """How many epochs a stage has."""
        return self.recipe.stage1.epochs if stage == 1 else self.recipe.stage2.epochs

    def tell_pictures(self, what: Literal["features", "measuring"]) -> Callable[[int, int], None]:
        """A listener for pictures done. It raises Stopped where that is wished."""

        def tell(done: int, count: int) -> None:
            self.report(Progress(what, done, count))
            if self.stop():
                raise Stopped

        return tell
