"""The state of a training: new, saved to a checkpoint, or resumed from one."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reid_model.data.reid_set import ReidSet
from reid_model.networks.clip_transformer import ClipText
from reid_model.networks.encoder import Encoder
from reid_model.training.build import Parts, build_encoder, build_parts
from reid_model.training.checkpoint import load_checkpoint, save_checkpoint
from reid_model.training.optimiser import Descent, new_scaler, stage_optimiser
from reid_model.training.recipe import Recipe, current_losses, current_names
from reid_model.training.stages import class_texts
from reid_model.training.teachers import Teacher
from reid_model.training.warm_start import apply_start


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """A finished step.

    In ``features`` and ``measuring`` it is a picture, without a training step; in the stages it is
    a batch, with its losses and learning rate.
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
    """The training was stopped on request; it can be resumed."""


@dataclass(frozen=True, slots=True)
class Job:
    """A recipe, its data and the options of `reid_model.training.run.train`."""

    recipe: Recipe
    reid_set: ReidSet
    labels: NDArray[np.int64]
    out: Path
    device: str
    text_encoder: ClipText | None
    teachers: tuple[Teacher, ...]
    workers: int
    report: Callable[[TrainingProgress], None]
    stop: Callable[[], bool]
    checkpoint_every_s: float

    @property
    def classes(self) -> int:
        """The number of identities."""
        return len(np.unique(self.labels))

    def epochs(self, stage: int) -> int:
        """The number of epochs of a stage."""
        return self.recipe.stage1.epochs if stage == 1 else self.recipe.stage2.epochs

    def picture_reporter(
        self, what: Literal["features", "measuring"]
    ) -> Callable[[int, int], None]:
        """A function that reports finished pictures, and raises Stopped when requested."""

        def report(done: int, count: int) -> None:
            self.report(TrainingProgress(what, done, count))
            if self.stop():
                raise Stopped

        return report


@dataclass(slots=True)
class TrainingState:
    """``epoch`` counts from 1; ``step`` is the number of its finished batches, ``steps`` the total.

    ``texts`` ``(C, D)`` exist in stage 2, if the recipe has texts. ``sums`` are the summed losses
    of this epoch, ``history`` has a row for each finished epoch. ``features`` are those of stage
    1's mode A, and ``saved_at`` is the time of the last checkpoint; neither is saved.
    """

    parts: Parts
    descent: Descent
    stage: int
    texts: Tensor | None = None
    epoch: int = 1
    step: int = 0
    steps: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    features: Tensor | None = None
    saved_at: float = field(default_factory=time.perf_counter)


def begin(
    job: Job, encoder: Encoder | None, start: dict[str, Tensor] | None = None
) -> TrainingState:
    """The state before the first step. Raises ValueError for parts that do not fit."""
    model = job.recipe.model
    encoder = encoder or build_encoder(model)
    parts = build_parts(model, job.classes, encoder, job.text_encoder, _dimensions(job))
    if start is not None:
        apply_start(parts, start)
    # Convolutions are faster in channels-last layout, which their outputs then have too.
    parts = parts.to(job.device).to(memory_format=torch.channels_last)
    stage = 1 if model.texts else 2
    return TrainingState(parts, _descent(job, parts, stage), stage)


def _dimensions(job: Job) -> list[int]:
    return [teacher.dimension for teacher in job.teachers]


def to_stage2(job: Job, state: TrainingState) -> None:
    """Switch to stage 2: freeze the texts of the prompts, and train the image encoder."""
    if state.parts.prompts is not None and job.text_encoder is not None:
        state.parts.eval()
        state.texts = class_texts(state.parts.prompts, job.text_encoder)
    state.stage, state.epoch, state.step = 2, 1, 0
    state.features = None
    state.descent = _descent(job, state.parts, 2)


def save(job: Job, state: TrainingState) -> None:
    """Write a checkpoint, from which the training resumes exactly."""
    content: dict[str, Any] = {
        "recipe": asdict(job.recipe),
        "data": fingerprint(job),
        "parts": state.parts.state_dict(),
        "optimiser": state.descent.optimiser.state_dict(),
        "scaler": state.descent.scaler.state_dict(),
        "random": _random_state(job.device),
        **{name: getattr(state, name) for name in _FIELDS},
    }
    save_checkpoint(job.out / "checkpoints", state.steps, content)
    state.saved_at = time.perf_counter()


#: The fields of TrainingState that a checkpoint holds unchanged.
_FIELDS = ("stage", "texts", "epoch", "step", "steps", "sums", "history")


def resumed(job: Job, encoder: Encoder | None) -> TrainingState | None:
    """The state of the last checkpoint, or None without one.

    Raises ValueError when it is damaged, or from another recipe or other pictures.
    """
    content = load_checkpoint(job.out / "checkpoints")
    if content is None:
        return None
    _check_same(job, content)
    state = begin(job, encoder)
    state.descent = _descent(job, state.parts, content["stage"])
    state.parts.load_state_dict(content["parts"])
    state.descent.optimiser.load_state_dict(content["optimiser"])
    state.descent.scaler.load_state_dict(content["scaler"])
    for name in _FIELDS:
        setattr(state, name, content[name])
    state.sums = current_losses(state.sums)
    state.history = [current_losses(row) for row in state.history]
    if state.texts is not None:
        state.texts = state.texts.to(job.device)
    _set_random_state(job.device, content["random"])
    return state


def fingerprint(job: Job) -> str:
    """A hash of the training pictures' names, identities and cameras, but not their folder."""
    lines = (f"{i.path.name} {i.identity} {i.camera}\n" for i in job.reid_set.train)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _descent(job: Job, parts: Parts, stage: int) -> Descent:
    precision = job.recipe.precision
    return Descent(
        stage_optimiser(parts, stage, job.recipe),
        new_scaler(job.device, precision),
        job.device,
        precision,
    )


def _check_same(job: Job, content: dict[str, Any]) -> None:
    ours, theirs = asdict(job.recipe), _current(content["recipe"])
    changed = sorted(key for key in ours if ours[key] != theirs.get(key))
    if changed:
        raise ValueError(
            f"{job.out} was trained with another recipe, which differs in {', '.join(changed)}: "
            "resume with the same recipe, or choose another folder"
        )
    if content["data"] != fingerprint(job):
        raise ValueError(
            f"{job.out} was trained on other pictures: "
            "resume with the same ones, or choose another folder"
        )


def _current(recipe: dict[str, Any]) -> dict[str, Any]:
    """A recipe of an earlier version, with current names and the defaults of newer keys."""
    defaults = asdict(Recipe())
    return {
        name: {**defaults[name], **part} if isinstance(part, dict) else part
        for name, part in current_names(recipe).items()
    }


def _random_state(device: str) -> list[Tensor]:
    on_device = [torch.cuda.get_rng_state(device)] if device.startswith("cuda") else []
    return [torch.get_rng_state(), *on_device]


def _set_random_state(device: str, states: list[Tensor]) -> None:
    torch.set_rng_state(states[0])
    if device.startswith("cuda") and len(states) > 1:
        torch.cuda.set_rng_state(states[1], device)
