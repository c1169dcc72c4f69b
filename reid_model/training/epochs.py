"""The remaining steps of an epoch."""

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from reid_model.data.dataset import EvaluationPictures, TrainingPictures, seeded
from reid_model.data.sampler import PKSampler
from reid_model.training.batches import (
    evaluation_transform,
    loader,
    random_batches,
    train_transform,
)
from reid_model.training.measure import extract
from reid_model.training.optimiser import to_device
from reid_model.training.stages import set_stage1_modes, stage1_epoch, stage2_epoch
from reid_model.training.state import Job, TrainingState
from reid_model.training.teachers import TeacherCache

#: The subfolder of a training that holds its teachers' embeddings.
TEACHER_CACHE = "answers"


def batches_of(job: Job, state: TrainingState) -> list[list[int]]:
    """The picture indices of each batch of the current epoch, finished or not.

    Raises ValueError when stage 2 has more identities in a batch than the set.
    """
    seed = job.recipe.seed
    if state.stage == 1:
        return random_batches(len(job.labels), job.recipe.stage1.batch, seed, state.epoch)
    recipe = job.recipe.stage2
    every = PKSampler(job.labels, seed, recipe.identities, recipe.images).epoch(
        _data_epoch(job, state)
    )
    return every[: recipe.batches]


def _data_epoch(job: Job, state: TrainingState) -> int:
    """The epoch whose augmented pictures are used: the current or, repeated, an earlier one."""
    repeat = job.recipe.distillation.repeat
    return (state.epoch - 1) % repeat + 1 if repeat else state.epoch


def steps_of(
    job: Job, state: TrainingState, batches: list[list[int]]
) -> Iterator[dict[str, Tensor]]:
    """Train on the remaining batches, and yield the losses of each."""
    if state.stage == 2:
        return _stage2_steps(job, state, batches)
    set_stage1_modes(state.parts, job.recipe.stage1.mode)
    if _features_change(job):
        return _stage1_steps_from_pictures(job, state, batches[state.step :])
    return _stage1_steps_from_features(job, state, batches[state.step :])


def _features_change(job: Job) -> bool:
    """Whether stage 1 trains a part that computes image features."""
    return job.recipe.stage1.mode == "B" and job.recipe.model.mscsa_modules > 0


def _stage1_steps_from_features(
    job: Job, state: TrainingState, batches: list[list[int]]
) -> Iterator[dict[str, Tensor]]:
    if state.features is None:
        state.features = extract(
            lambda pixels: state.parts.model.features(pixels).f_proj,
            job.reid_set.train,
            job.recipe.model.image_size,
            device=job.device,
            precision=job.recipe.precision,
            workers=job.workers,
            report=job.picture_reporter("features"),
        ).to(job.device)
    features, labels = state.features, torch.from_numpy(job.labels)
    return _stage1_steps(job, state, ((features[b], labels[b]) for b in batches), lambda f: f)


def _stage1_steps_from_pictures(
    job: Job, state: TrainingState, batches: list[list[int]]
) -> Iterator[dict[str, Tensor]]:
    transform = evaluation_transform(job.recipe.model.image_size)
    pictures = EvaluationPictures(job.reid_set.train, transform)
    labels = torch.from_numpy(job.labels)
    read = zip(loader(pictures, batches, job.workers), (labels[b] for b in batches), strict=True)

    def features(pixels: Tensor) -> Tensor:
        return state.parts.model.features(to_device(pixels, job.device)).f_proj

    return _stage1_steps(job, state, read, features)


def _stage1_steps(
    job: Job,
    state: TrainingState,
    batches: Iterable[tuple[Tensor, Tensor]],
    features: Callable[[Tensor], Tensor],
) -> Iterator[dict[str, Tensor]]:
    # Only recipes with texts have a stage 1.
    assert state.parts.prompts is not None
    assert job.text_encoder is not None
    return stage1_epoch(state.parts.prompts, job.text_encoder, features, batches, state.descent)


def _stage2_steps(
    job: Job, state: TrainingState, batches: list[list[int]]
) -> Iterator[dict[str, Tensor]]:
    recipe = job.recipe
    training = TrainingPictures(job.reid_set.train, train_transform(recipe), recipe.augment.mix)
    keys = seeded(batches, recipe.seed, _data_epoch(job, state))[state.step :]
    return stage2_epoch(
        state.parts,
        state.texts,
        _with_teachers(job, state, batches, loader(training, keys, job.workers)),
        recipe.stage2,
        recipe.distillation,
        state.descent,
    )


def _with_teachers(
    job: Job,
    state: TrainingState,
    batches: list[list[int]],
    read: Iterable[tuple[Tensor, Tensor]],
) -> Iterator[tuple[Tensor, Tensor, list[Tensor]]]:
    """The remaining batches ``read``, with each teacher's embeddings of them."""
    cache = _teacher_cache(job, state, len(batches))
    steps = range(state.step, len(batches))
    for step, (pictures, labels) in zip(steps, read, strict=True):

        def embed(step: int = step, pictures: Tensor = pictures) -> list[Tensor]:
            return [teacher.embed(batches[step], pictures) for teacher in job.teachers]

        yield pictures, labels, embed() if cache is None else cache.embeddings(step, embed)


def _teacher_cache(job: Job, state: TrainingState, batches: int) -> TeacherCache | None:
    """The cache of the teachers' embeddings, if the recipe repeats augmented pictures."""
    if not job.recipe.distillation.repeat:
        return None
    return TeacherCache(job.out / TEACHER_CACHE, _data_epoch(job, state), batches)
