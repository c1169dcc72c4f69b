"""A whole training: from a recipe and pictures to a model on disk."""

import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from reid_model.data.reid_set import ReidSet, class_labels
from reid_model.embedder import Embedder
from reid_model.networks.clip_transformer import ClipText
from reid_model.networks.encoder import Encoder
from reid_model.networks.parameters import count_parameters
from reid_model.training.checkpoint import load_checkpoint
from reid_model.training.epochs import TEACHER_CACHE, batches_of, steps_of
from reid_model.training.measure import measure
from reid_model.training.model_files import save_model, write_json, write_lines
from reid_model.training.optimiser import set_rate, stage1_rate, stage2_rate
from reid_model.training.recipe import Recipe
from reid_model.training.state import (
    Job,
    Stopped,
    TrainingProgress,
    TrainingState,
    begin,
    resumed,
    save,
    to_stage2,
)
from reid_model.training.teachers import teacher_of


def train(
    recipe: Recipe,
    reid_set: ReidSet,
    out: Path,
    *,
    device: str = "cpu",
    encoder: Encoder | None = None,
    text_encoder: ClipText | None = None,
    start: dict[str, Tensor] | None = None,
    teachers: Sequence[Tensor | Embedder] = (),
    workers: int = 0,
    resume: bool = False,
    report: Callable[[TrainingProgress], None] = lambda progress: None,
    stop: Callable[[], bool] = lambda: False,
    checkpoint_every_s: float = 300.0,
) -> Path | None:
    """Train by ``recipe`` and return the model's file, or None when ``stop`` ended it before.

    ``encoder`` and ``text_encoder`` are where the training starts; the former is changed, and
    random when left out. ``start`` are weights of a `FusedEmbedder` that fits the recipe, instead
    of an encoder's. ``teachers`` belong to the names in the recipe, in their order: what each says
    of the unchanged training pictures, embeddings ``(N, E)``, or itself, to look at each picture as
    it was changed.

    ``out`` gets ``model.safetensors`` with ``model.json`` (recipe, data, figures) beside it,
    ``curves.jsonl`` (a row an epoch) and ``checkpoints/``. With ``resume`` a training that was
    stopped or killed goes on: on the CPU it ends with the very weights of one that was not. The
    same seed gives the same weights there. PyTorch's random state is the caller's again afterwards.

    Raises ValueError for a recipe, parts, pictures or a checkpoint that do not fit, and when the
    loss is no longer a number; OSError when ``out`` cannot be written.
    """
    if not reid_set.train:
        raise ValueError(f"{reid_set.name} has no pictures to train on")
    if len(teachers) != len(recipe.distillation.teachers):
        raise ValueError(
            f"the recipe names {len(recipe.distillation.teachers)} teachers, got {len(teachers)}"
        )
    labels = class_labels(reid_set.train)
    job = Job(
        recipe,
        reid_set,
        labels,
        out,
        device,
        text_encoder,
        tuple(
            teacher_of(it, len(reid_set.train), recipe.distillation.teacher_view) for it in teachers
        ),
        workers,
        report,
        stop,
        checkpoint_every_s,
    )
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        try:
            return _train(job, _state(job, encoder, start, resume))
        except Stopped:
            return None


def _state(
    job: Job, encoder: Encoder | None, start: dict[str, Tensor] | None, resume: bool
) -> TrainingState:
    job.out.mkdir(parents=True, exist_ok=True)
    if job.text_encoder is not None:
        job.text_encoder.to(job.device).requires_grad_(False).eval()
    if resume and (state := resumed(job, encoder)) is not None:
        return state
    if load_checkpoint(job.out / "checkpoints") is not None:
        raise ValueError(f"{job.out} holds a training already: resume it, or choose another folder")
    _forget_answers(job)
    return begin(job, encoder, start)


def _forget_answers(job: Job) -> None:
    # Answers that cannot be deleted would be taken for this training's: an error is better.
    if (job.out / TEACHER_CACHE).exists():
        shutil.rmtree(job.out / TEACHER_CACHE)


def _train(job: Job, state: TrainingState) -> Path:
    if state.stage == 1:
        _stage(job, state)
        to_stage2(job, state)
        save(job, state)
    _stage(job, state)
    save(job, state)
    return _finish(job, state)


def _stage(job: Job, state: TrainingState) -> None:
    """The epochs of a stage that are still to do."""
    while state.epoch <= job.epochs(state.stage):
        rate = _rate(job, state)
        set_rate(state.descent.optimiser, rate)
        _epoch(job, state, rate)
        means = {name: total / state.step for name, total in state.sums.items()}
        state.history.append(
            {"stage": state.stage, "epoch": state.epoch, "learning_rate": rate, **means}
        )
        state.epoch, state.step, state.sums = state.epoch + 1, 0, {}
        write_lines(job.out / "curves.jsonl", state.history)


def _epoch(job: Job, state: TrainingState, rate: float) -> None:
    """The batches of an epoch that are still to do."""
    batches = batches_of(job, state)
    started, pictures = time.perf_counter(), 0
    for losses in steps_of(job, state, batches):
        values = _counted(state, losses)
        pictures += len(batches[state.step - 1])
        job.report(
            TrainingProgress(
                "stage 1" if state.stage == 1 else "stage 2",
                state.step,
                len(batches),
                state.epoch,
                job.epochs(state.stage),
                values,
                rate,
                pictures / (time.perf_counter() - started),
            )
        )
        _keep(job, state)


def _counted(state: TrainingState, losses: dict[str, Tensor]) -> dict[str, float]:
    """The losses of a step as numbers, added to those of its epoch."""
    # All at once: a GPU is waited for every time.
    values = dict(zip(losses, torch.stack(list(losses.values())).tolist(), strict=True))
    if not math.isfinite(values["loss"]):
        raise ValueError(
            f"the loss of stage {state.stage} is no longer a number in epoch {state.epoch}: "
            "lower its learning_rate, or set precision to float32"
        )
    for name, value in values.items():
        state.sums[name] = state.sums.get(name, 0.0) + value
    state.step += 1
    state.steps += 1
    return values


def _keep(job: Job, state: TrainingState) -> None:
    """Write a checkpoint when it is time, and stop when that is wished."""
    stop = job.stop()
    if stop or time.perf_counter() - state.saved_at >= job.checkpoint_every_s:
        save(job, state)
    if stop:
        raise Stopped


def _rate(job: Job, state: TrainingState) -> float:
    if state.stage == 1:
        return stage1_rate(state.epoch, job.recipe.stage1)
    return stage2_rate(state.epoch, job.recipe.stage2)


def _finish(job: Job, state: TrainingState) -> Path:
    """Measure the model where the set has queries, and write it with its card."""
    parts, recipe = state.parts.eval(), job.recipe
    embedder = parts.model.deploy()
    figures, similarity = measure(
        embedder,
        job.reid_set,
        recipe.model.image_size,
        device=job.device,
        workers=job.workers,
        report=job.picture_reporter("measuring"),
    )
    path = job.out / "model.safetensors"
    save_model(path, embedder, recipe.model, similarity)
    card = {
        "data": {
            "name": job.reid_set.name,
            "identities": job.classes,
            "pictures": len(job.reid_set.train),
        },
        "figures": figures,
        "similarity": None if similarity is None else asdict(similarity),
        "parameters": count_parameters(embedder),
        "recipe": asdict(recipe),
    }
    write_json(path.with_suffix(".json"), card)
    _forget_answers(job)
    return path
