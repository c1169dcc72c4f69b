"""Training the late stages of a trunk that already knows people, on maps kept of its early ones.

What is new is learned from the names of people across cameras (`CameraProxies`); what the start
knows of other places is kept by staying near its vectors, by a small rate, by a running average of
the weights, and by mixing the result with the start (Wortsman et al. 2022, "Robust fine-tuning of
zero-shot models").
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils import clip_grad_norm_

from reid_model.data.reid_set import ReidImage
from reid_model.losses import (
    cosine_distillation,
    image_to_text_cross_entropy,
    similarity_distillation,
)
from reid_model.networks.fused import Features, FusedModel
from reid_model.networks.text_guidance import TextGuidance
from reid_model.training.build import build_encoder, new_model
from reid_model.training.camera_proxies import CameraProxies
from reid_model.training.kept_maps import KeptMaps
from reid_model.training.model_files import load_model
from reid_model.training.optimiser import autocast, move_average, warmed_cosine
from reid_model.training.recipe import ModelRecipe, TrainingPrecision

#: What learns: the rest of the trunk makes the maps that are kept.
_THIRD = "trunk.encoder.layer3."
_LATE = (
    "trunk.encoder.layer4.",
    "trunk.encoder.pool.",
    "trunk.encoder.head.",
    "trunk.mscsa.2.",
    "trunk.mscsa.3.",
)
_LONGEST_STEP = 5.0


@dataclass(frozen=True, slots=True)
class LateRecipe:
    """``steps`` batches of ``identities`` x ``images`` pictures, every data set as often in turn.

    The rate rises over ``warm_up`` steps and falls in a cosine. ``unchanged`` is the share of
    pictures in their first version. ``embedding`` and ``similarity`` weigh how near vectors stay
    to the start's, and their cosines to the teachers'; ``average`` is what the running average of
    the weights keeps at a step. Without ``third_stage`` the trunk's third stage stays as it is.
    """

    steps: int = 2000
    identities: int = 15
    images: int = 4
    learning_rate: float = 2e-4
    warm_up: int = 100
    temperature: float = 0.05
    unchanged: float = 0.2
    embedding: float = 1.0
    similarity: float = 10.0
    average: float = 0.995
    third_stage: bool = True
    seed: int = 1
    precision: TrainingPrecision = "bfloat16"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the training pictures before: unit vectors ``(N, D)`` by the start, and
    ``(N, E)`` by all teachers in one."""

    start: Tensor
    teachers: Tensor


@dataclass(frozen=True, slots=True)
class ClassTexts:
    """Texts as teachers: a text ``(C, D)`` of each class, frozen, the class ``(N,)`` of each
    picture, and, where texts are adapted to pictures, the module that does it.
    """

    texts: Tensor
    classes: Tensor
    guidance: TextGuidance | None = None

    def adapted(self, features: Features) -> Tensor:
        """The texts ``(C, D)``, or those adapted to each picture ``(B, C, D)``."""
        return self.texts if self.guidance is None else self.guidance(self.texts, features.y3)


def late_start(path: Path, mscsa_modules: int) -> tuple[FusedModel, ModelRecipe]:
    """A network of `save_model` as a fused model in eval mode, whose MSCSA are new.

    Raises ValueError as `load_model`.
    """
    embedder, recipe = load_model(path)
    recipe = replace(recipe, mscsa_modules=mscsa_modules)
    model = new_model(recipe, 1, build_encoder(recipe))
    model.load_state_dict(embedder.state_dict(), strict=False)
    return model.eval(), recipe


def train_late(
    model: FusedModel,
    kept: KeptMaps,
    versions: int,
    images: Sequence[ReidImage],
    known: Known,
    recipe: LateRecipe,
    report: Callable[[int, dict[str, float]], None] = lambda step, losses: None,
    texts: ClassTexts | None = None,
) -> FusedModel:
    """The running average of ``model``, whose late stages learn in place; both share nothing.

    ``images`` are those of ``kept``, in order; version 0 of their maps is unchanged. With ``texts``
    each picture is also classified by them (CLIP-ReID's image-to-text loss), and their guidance
    learns as well. Raises ValueError when there are no people to learn.
    """
    if not images:
        raise ValueError("there are no pictures to learn from")
    learning = _learning(model, recipe, texts)
    optimiser = torch.optim.AdamW(learning, recipe.learning_rate, weight_decay=0.0)
    average = copy.deepcopy(model).eval()
    draw = _Draw(images, versions, recipe)
    proxies = CameraProxies(known.start, draw.identities, draw.cameras, draw.sets)
    model.train()
    for step in range(recipe.steps):
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * warmed_cosine(step, recipe.steps, recipe.warm_up)
        pictures, maps = draw.batch(kept)
        with autocast("cpu", recipe.precision):
            features = model.trunk.late(maps)
            adapted = None if texts is None else texts.adapted(features)
        vectors = F.normalize(features.f_proj.float(), dim=1)
        losses = {
            "people": proxies.loss(vectors, pictures, recipe.temperature),
            "embedding": cosine_distillation(vectors, known.start[pictures]),
            "similarity": similarity_distillation(vectors, known.teachers[pictures]),
        }
        total = (
            losses["people"]
            + recipe.embedding * losses["embedding"]
            + recipe.similarity * losses["similarity"]
        )
        if texts is not None and adapted is not None:
            labels = texts.classes[pictures]
            losses["texts"] = image_to_text_cross_entropy(features.f_proj, adapted, labels)
            total = total + losses["texts"]
        optimiser.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        clip_grad_norm_(learning, _LONGEST_STEP)
        optimiser.step()
        proxies.follow(vectors, pictures)
        move_average(average, model, 1 - min(recipe.average, (step + 1) / (step + 10)))
        report(step + 1, {name: float(value.detach()) for name, value in losses.items()})
    return average


def mixed_weights(
    start: Mapping[str, Tensor], trained: Mapping[str, Tensor], share: float
) -> dict[str, Tensor]:
    """The weights ``share`` of the way from ``start`` to ``trained``; counts are ``trained``'s."""
    return {
        name: torch.lerp(start[name], value, share) if value.is_floating_point() else value
        for name, value in trained.items()
    }


def _learning(
    model: FusedModel, recipe: LateRecipe, texts: ClassTexts | None
) -> list[torch.nn.Parameter]:
    """The parameters that learn; all others of the model are frozen."""
    parts = (_THIRD, *_LATE) if recipe.third_stage else _LATE
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith(parts))
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    guidance = None if texts is None else texts.guidance
    return [*learning, *(() if guidance is None else guidance.parameters())]


class _Draw:
    """Who meets in a batch, and in which version."""

    def __init__(self, images: Sequence[ReidImage], versions: int, recipe: LateRecipe) -> None:
        folders = [str(image.path.parent) for image in images]
        self.identities = torch.tensor([image.identity for image in images])
        self.cameras = torch.tensor([image.camera for image in images])
        self.sets = torch.from_numpy(np.unique(folders, return_inverse=True)[1])
        self._people = [
            np.unique(self.identities.numpy()[self.sets.numpy() == one])
            for one in range(int(self.sets.max()) + 1)
        ]
        self._random = np.random.default_rng(recipe.seed)
        self._versions = versions
        self._recipe = recipe

    def batch(self, kept: KeptMaps) -> tuple[Tensor, Tensor]:
        """Pictures ``(B,)`` and maps ``(B, C, H, W)`` of them."""
        chosen = np.concatenate(
            [
                self._pictures_of(self._random.choice(self._people[turn % len(self._people)]))
                for turn in range(self._recipe.identities)
            ]
        )
        unchanged = self._random.random(len(chosen)) < self._recipe.unchanged
        versions = np.where(unchanged, 0, self._random.integers(self._versions, size=len(chosen)))
        return torch.from_numpy(chosen), kept.read(versions.tolist(), chosen.tolist())

    def _pictures_of(self, person: np.int64) -> NDArray[np.int64]:
        """Some pictures of a person, of as many cameras as there are."""
        own = self._random.permutation(np.flatnonzero(self.identities.numpy() == person))
        cameras = self.cameras.numpy()[own]
        turn = np.array([np.sum(cameras[:place] == cameras[place]) for place in range(len(own))])
        spread = own[np.argsort(turn, kind="stable")]
        return np.asarray(np.resize(spread, self._recipe.images), np.int64)
