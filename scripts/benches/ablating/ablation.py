"""The ablation of the fused ReID model: short trainings from an open network, with parts added.

The late stages of the network train on kept maps of its early ones, by the recipe that the default
network was trained with. The original method relies on CLIP's aligned image and text encoders;
here the open network and an open text encoder stand in for them.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from reid_model.data.reid_set import ReidImage, ReidSet
from reid_model.networks.fused import FusedModel
from reid_model.networks.parameters import count_parameters
from reid_model.networks.text_guidance import TextGuidance
from reid_model.training.kept_maps import KeptMaps
from reid_model.training.late_stages import ClassTexts, Known, LateRecipe, train_late
from reid_model.training.measure import metrics_of, ranking_of
from reid_model.training.model_files import write_json
from reid_model.training.optimiser import autocast

_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Variant:
    """Which parts take part. Of ``mscsa_modules`` the first two stay identities, because the maps
    they would change are those that are kept: 3 is one after the third stage, 4 one more after the
    fourth.
    """

    texts: bool = False
    text_guidance: bool = False
    mscsa_modules: int = 0


VARIANTS = {
    "baseline": Variant(),
    "texts": Variant(texts=True),
    "tgi": Variant(texts=True, text_guidance=True),
    "mscsa": Variant(texts=True, mscsa_modules=3),
    "both": Variant(texts=True, text_guidance=True, mscsa_modules=3),
    "mscsa-4": Variant(texts=True, mscsa_modules=4),
}


@dataclass(frozen=True, slots=True)
class Ablation:
    """Settings shared by all variants.

    ``start`` makes the model that every variant starts from, with this many new MSCSA. ``texts``
    ``(C, D)`` are those of the classes ``(N,)`` of ``images``. ``tests`` are data sets with the
    maps of their queries, then of their gallery. ``out`` gets a file for each training, from which
    a later run takes its outcome. ``say`` is called with lines of progress.
    """

    recipe: LateRecipe
    start: Callable[[int], FusedModel]
    images: Sequence[ReidImage]
    classes: Tensor
    kept: KeptMaps
    versions: int
    known: Known
    texts: Tensor
    tests: Sequence[tuple[ReidSet, KeptMaps]]
    out: Path
    say: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class TrainingOutcome:
    """The result of one training: rank 1 and mAP in 0..1 of each test set by name, the number of
    parameters needed to embed a crop, and minutes of training and evaluation.
    """

    rank1: dict[str, float]
    mean_average_precision: dict[str, float]
    parameters: int
    minutes: float


def run_ablation(
    ablation: Ablation, variants: Sequence[str], seeds: Sequence[int]
) -> dict[str, list[TrainingOutcome]]:
    """The outcomes of each variant, one per seed; finished trainings are reused.

    Raises ValueError for unknown variants, and when ``out`` holds trainings by another recipe, of
    other pictures, or measured on others.
    """
    unknown = [name for name in variants if name not in VARIANTS]
    if unknown:
        raise ValueError(f"unknown variant {unknown[0]!r}: known are {', '.join(VARIANTS)}")
    outcomes: dict[str, list[TrainingOutcome]] = {name: [] for name in variants}
    for seed in seeds:
        seeded = replace(ablation, recipe=replace(ablation.recipe, seed=seed))
        for name in variants:
            outcomes[name].append(_outcome(seeded, name))
    return outcomes


def start_metrics(ablation: Ablation) -> TrainingOutcome:
    """What every variant starts from, measured."""
    began = time.perf_counter()
    return _measured(ablation, ablation.start(0), began)


def late_features(model: FusedModel, kept: KeptMaps, count: int) -> Tensor:
    """What a model in eval mode says of the first version of ``count`` kept maps: ``(N, D)``."""
    found = []
    for first in range(0, count, _AT_ONCE):
        pictures = range(first, min(first + _AT_ONCE, count))
        with torch.inference_mode(), autocast("cpu", "bfloat16"):
            found.append(model.trunk.late(kept.read([0] * len(pictures), pictures)).f_proj.float())
    return torch.cat(found)


def _outcome(ablation: Ablation, name: str) -> TrainingOutcome:
    """The outcome of a training, done before or now."""
    path = ablation.out / f"seed-{ablation.recipe.seed}" / f"{name}.json"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        found = _train(ablation, VARIANTS[name])
        write_json(path, {"budget": budget(ablation), **asdict(found)})
        ablation.say(f"seed {ablation.recipe.seed}, {name}: {found.mean_average_precision}")
    content = json.loads(path.read_text(encoding="utf-8"))
    if content.pop("budget") != json.loads(json.dumps(budget(ablation))):
        raise ValueError(f"{path} was made with other settings: choose another folder with --out")
    return TrainingOutcome(**content)


def budget(ablation: Ablation) -> dict[str, object]:
    """What the figures depend on, as a file holds it."""
    return {
        "recipe": asdict(ablation.recipe),
        "versions": ablation.versions,
        "identities": len(ablation.texts),
        "pictures": len(ablation.images),
        "tests": {one.name: len(one.query) + len(one.gallery) for one, _ in ablation.tests},
    }


def _train(ablation: Ablation, variant: Variant) -> TrainingOutcome:
    began = time.perf_counter()
    with torch.random.fork_rng():
        torch.manual_seed(ablation.recipe.seed)
        model = ablation.start(variant.mscsa_modules)
        average = train_late(
            model,
            ablation.kept,
            ablation.versions,
            ablation.images,
            ablation.known,
            ablation.recipe,
            texts=_texts(ablation, model, variant),
        )
    return _measured(ablation, average, began)


def _texts(ablation: Ablation, model: FusedModel, variant: Variant) -> ClassTexts | None:
    if not variant.texts:
        return None
    visual = model.trunk.encoder.channels[3]
    guidance = TextGuidance(ablation.texts.shape[1], visual) if variant.text_guidance else None
    return ClassTexts(ablation.texts, ablation.classes, guidance)


def _measured(ablation: Ablation, model: FusedModel, began: float) -> TrainingOutcome:
    figures = {
        people.name: metrics_of(ranking_of(people, _vectors(model, people, kept)))
        for people, kept in ablation.tests
    }
    return TrainingOutcome(
        rank1={name: one["rank1"] for name, one in figures.items()},
        mean_average_precision={
            name: one["mean_average_precision"] for name, one in figures.items()
        },
        parameters=sum(count_parameters(model.deploy()).values()),
        minutes=round((time.perf_counter() - began) / 60, 2),
    )


def _vectors(model: FusedModel, people: ReidSet, kept: KeptMaps) -> NDArray[np.float32]:
    features = late_features(model, kept, len(people.query) + len(people.gallery))
    return np.asarray(F.normalize(features, dim=1).numpy(), np.float32)
