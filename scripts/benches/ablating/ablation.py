"""The ablation of the fused ReID model: repeated trainings with parts removed.

The original method relies on CLIP's aligned image and text encoders. Here a pair of our own
replaces them: an image encoder trained by the recipe of the baseline, starting from a ReID model
or from ImageNet weights, and a small text encoder trained to match its features to captions. Every
variant starts from this pair.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pipeline.reid.training import encoders_of, starting_weights
from reid_model.data.captions import Caption
from reid_model.data.reid_set import ReidSet, class_labels
from reid_model.networks.clip_text import ClipText
from reid_model.networks.encoder import Encoder
from reid_model.training.captions import TextRecipe, caption_features, learn_and_measure
from reid_model.training.model_files import load_model, load_text, save_text, write_json
from reid_model.training.recipe import Recipe
from reid_model.training.run import train
from reid_model.training.state import Stopped, TrainingProgress

#: Name -> settings of the recipe's model. The number of MSCSA modules is varied without TGI, whose
#: training is by far the most expensive.
VARIANTS: dict[str, dict[str, Any]] = {
    "baseline": {"texts": False, "text_guidance": False, "mscsa_modules": 0},
    "clip-reid": {"texts": True, "text_guidance": False, "mscsa_modules": 0},
    "tgi": {"texts": True, "text_guidance": True, "mscsa_modules": 0},
    "mscsa": {"texts": True, "text_guidance": False, "mscsa_modules": 3},
    "both": {"texts": True, "text_guidance": True, "mscsa_modules": 3},
    "mscsa-1": {"texts": True, "text_guidance": False, "mscsa_modules": 1},
    "mscsa-2": {"texts": True, "text_guidance": False, "mscsa_modules": 2},
    "mscsa-4": {"texts": True, "text_guidance": False, "mscsa_modules": 4},
}


@dataclass(frozen=True, slots=True)
class Ablation:
    """Settings shared by all variants.

    ``out`` gets a folder for each training, in which a later run resumes. ``say`` is called with
    lines of progress. ``start`` is the start of the pair's image encoder: the trunk of a
    `save_model` file, ImageNet weights, or None for random ones.
    """

    recipe: Recipe
    reid_set: ReidSet
    captions: tuple[Caption, ...]
    out: Path
    device: str
    workers: int
    say: Callable[[str], None]
    stop: Callable[[], bool]
    text_recipe: TextRecipe = field(default_factory=TextRecipe)
    start: Path | Literal["imagenet"] | None = "imagenet"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one training: scores in 0..1, number of parameters needed to embed a crop, and
    minutes of training and evaluation.
    """

    rank1: float
    mean_average_precision: float
    rank5: float
    parameters: int
    minutes: float


def run_ablation(
    ablation: Ablation, variants: Sequence[str], seeds: Sequence[int]
) -> dict[str, list[Outcome]]:
    """The outcomes of each variant, one per seed; finished trainings are reused.

    Raises Stopped when ``stop`` returns True, and ValueError as `train` when ``out`` contains
    trainings of another recipe or other pictures, and for unknown variants.
    """
    unknown = [name for name in variants if name not in VARIANTS]
    if unknown:
        raise ValueError(f"unknown variant {unknown[0]!r}: known are {', '.join(VARIANTS)}")
    pair = ablation.out / "pair"
    _train_pair(ablation, pair)
    text = _text_encoder(ablation, pair / "model.safetensors")
    outcomes: dict[str, list[Outcome]] = {name: [] for name in variants}
    for seed in seeds:
        for name in variants:
            folder = ablation.out / f"seed-{seed}" / name
            recipe = replace(variant(ablation.recipe, name), seed=seed)
            _train(ablation, folder, recipe, text=text, start=pair / "model.safetensors")
            outcomes[name].append(_outcome(folder))
    return outcomes


def text_figures(out: Path) -> dict[str, float]:
    """Scores of the text encoder of an ablation in ``out``. Raises ValueError as `load_text`."""
    return load_text(out / "text.safetensors")[1]


def variant(recipe: Recipe, name: str) -> Recipe:
    """The recipe of a variant."""
    return replace(recipe, model=replace(recipe.model, **VARIANTS[name]))


def first_identities(reid_set: ReidSet, count: int | None) -> ReidSet:
    """The set with the training pictures of its first ``count`` people only; None keeps all."""
    people = class_labels(reid_set.train)
    train = (
        image
        for image, person in zip(reid_set.train, people, strict=True)
        if count is None or person < count
    )
    return replace(reid_set, train=tuple(train))


def _train_pair(ablation: Ablation, folder: Path) -> None:
    recipe = variant(ablation.recipe, "baseline")
    encoder, start = None, None
    if isinstance(ablation.start, Path):
        start = ablation.start
    elif ablation.start == "imagenet" and not (folder / "checkpoints").is_dir():
        ablation.say("pair: from ImageNet's weights")
        encoder = encoders_of(recipe, None, True, ablation.reid_set)[0]
    _train(ablation, folder, recipe, encoder=encoder, start=start)


def _text_encoder(ablation: Ablation, model: Path) -> ClipText:
    """The text encoder of the pair; trained if it does not exist yet."""
    path = ablation.out / "text.safetensors"
    if not path.is_file():
        _learn_text(ablation, model, path)
    return load_text(path)[0]


def _learn_text(ablation: Ablation, model: Path, path: Path) -> None:
    embedder, recipe = load_model(model)
    embedder.to(ablation.device)
    features = caption_features(
        lambda pixels: embedder.trunk(pixels).f_proj,
        ablation.captions,
        recipe.image_size,
        device=ablation.device,
        precision=ablation.recipe.precision,
        workers=ablation.workers,
    )
    text, figures = learn_and_measure(
        ablation.text_recipe,
        ablation.captions,
        features,
        device=ablation.device,
        precision=ablation.recipe.precision,
        report=lambda epoch, loss: ablation.say(f"text, epoch {epoch}: loss {loss:.3f}"),
        stop=ablation.stop,
    )
    save_text(path, text, figures)


def _train(
    ablation: Ablation,
    folder: Path,
    recipe: Recipe,
    *,
    encoder: Encoder | None = None,
    text: ClipText | None = None,
    start: Path | None = None,
) -> None:
    """Train in ``folder``, or resume there, unless it is finished. Raises Stopped."""
    if _is_done(folder, recipe, ablation.reid_set):
        return
    started = time.perf_counter()
    try:
        path = train(
            recipe,
            ablation.reid_set,
            folder,
            device=ablation.device,
            encoder=encoder,
            text_encoder=text if recipe.model.texts else None,
            start=starting_weights(recipe, start),
            workers=ablation.workers,
            resume=True,
            report=_reporter(ablation, folder),
            stop=ablation.stop,
        )
    finally:
        _add_minutes(folder, (time.perf_counter() - started) / 60)
    if path is None:
        raise Stopped


def _is_done(folder: Path, recipe: Recipe, reid_set: ReidSet) -> bool:
    """Whether ``folder`` contains the model of exactly this training; `train` checks all others."""
    path = folder / "model.json"
    if not path.is_file():
        return False
    card = json.loads(path.read_text(encoding="utf-8"))
    same_recipe = card["recipe"] == json.loads(json.dumps(asdict(recipe)))
    return bool(same_recipe and card["data"]["pictures"] == len(reid_set.train))


def _reporter(ablation: Ablation, folder: Path) -> Callable[[TrainingProgress], None]:
    name = folder.relative_to(ablation.out)

    def report(step: TrainingProgress) -> None:
        if step.step == step.steps:
            ablation.say(f"{name}: {step.what}, epoch {step.epoch} of {step.epochs}")

    return report


def _add_minutes(folder: Path, minutes: float) -> None:
    if folder.is_dir():
        write_json(folder / "minutes.json", {"minutes": _minutes(folder) + minutes})


def _minutes(folder: Path) -> float:
    path = folder / "minutes.json"
    return float(json.loads(path.read_text())["minutes"]) if path.is_file() else 0.0


def _outcome(folder: Path) -> Outcome:
    card = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    figures = card["figures"]
    return Outcome(
        rank1=figures["rank1"],
        mean_average_precision=figures["mean_average_precision"],
        rank5=figures["rank5"],
        parameters=sum(card["parameters"].values()),
        minutes=_minutes(folder),
    )
