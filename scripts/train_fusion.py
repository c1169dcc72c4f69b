"""Train FusionSegReID around the shipped network: heads and alignment, on maps of its early stages.

    FUSETRACK_DATA=FOLDER python scripts/train_fusion.py OUT.safetensors --maps MAPS \\
        --masks MASKS.npz... --words WORDS.jsonl...

FOLDER holds reid/ (market1501, cuhk03, cuhk01, captions). MASKS are of scripts/person_masks.py,
WORDS of scripts/picture_words.py. MAPS takes 2.3 GB for the pictures and 0.4 MB for each composed
one; maps that are there already are used again. One identity in twenty is kept out of all of it:
whether words describe a person is calibrated on them.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from pipeline.weights import weights_files, weights_path
from reid_model.data import READERS
from reid_model.data.composed_pictures import LabelledPictures
from reid_model.data.person_masks import PersonMasks, read_masks
from reid_model.data.reid_set import ReidImage
from reid_model.networks.fusion import FusionModel
from reid_model.networks.sentence_text import read_sentence_text, sentence_tokens
from reid_model.query_encoder import words_of
from reid_model.training.fusion_files import FusionFile, WordsFit, save_fusion
from reid_model.training.fusion_scenes import keep_scenes
from reid_model.training.fusion_training import (
    FusionRecipe,
    Pictures,
    Scenes,
    Words,
    align_means,
    fit_tokens,
    learn_text_head,
    padded,
    train_fusion,
    train_late_copies,
)
from reid_model.training.kept_maps import KeptMaps, keep_versions
from reid_model.training.model_files import load_model
from reid_model.weights_header import load_similarity

START = "omni-scale-people"
_BATCH = 64
#: How many of the sentences made about a picture are learned.
_MADE = 2
#: The copies of the late stages begin with more steps of less work each.
_LATE_RATE = 6e-4


@dataclass(frozen=True, slots=True)
class Sentence:
    """What describes the person of some pictures, by their indices."""

    text: str
    shown: NDArray[np.int64]


def read_words(
    files: Iterable[Path], data: Path, images: Sequence[ReidImage], held_out: bool
) -> list[Sentence]:
    """The sentences about ``images``, of files of scripts/picture_words.py: all that are written,
    and two of those made for each picture, or two that are ``held_out``."""
    by_name = {str(image.path.relative_to(data)): row for row, image in enumerate(images)}
    by_person: dict[tuple[str, int], list[int]] = {}
    for row, image in enumerate(images):
        by_person.setdefault(_person(image.path, data), []).append(row)
    found = []
    random = np.random.default_rng(0)
    for line in (line for file in files for line in file.read_text().splitlines()):
        values = json.loads(line)
        own = by_person.get((values["dataset"], int(values["identity"])), [])
        shown = [by_name[values["name"]]] if values["name"] in by_name else own
        if shown and values["part"] == "train":
            texts = values.get("held_out" if held_out and "clothes" in values else "sentences", [])
            if "clothes" in values:
                texts = random.permutation(texts)[:_MADE].tolist()
            found += [Sentence(text, np.array(shown)) for text in texts]
    return found


def _person(path: Path, data: Path) -> tuple[str, int]:
    return path.relative_to(data).parts[1], int(path.name.split("_")[0])


@torch.inference_mode()
def encoded(texts: Sequence[str]) -> list[Tensor]:
    """What the text encoder says of the words of each text: ``(L, 384)`` float16."""
    weights, tokenizer = sorted(weights_files("all-minilm-l6-v2"))
    encoder = read_sentence_text(weights, 1)
    order = sorted(range(len(texts)), key=lambda one: len(texts[one]))
    found: dict[int, Tensor] = {}
    for start in range(0, len(order), _BATCH):
        batch = order[start : start + _BATCH]
        with torch.autocast("cpu", torch.bfloat16):
            states, present = encoder.words(sentence_tokens(tokenizer, [texts[i] for i in batch]))
        found |= {one: states[row][present[row]].half() for row, one in enumerate(batch)}
    return [found[one] for one in range(len(texts))]


@torch.inference_mode()
def unit(model: FusionModel, second: KeptMaps, count: int) -> Tensor:
    """The fused model's vectors of the pictures: ``(N, 256)``, unit."""
    found = []
    for start in range(0, count, _BATCH):
        rows = list(range(start, min(start + _BATCH, count)))
        maps = second.read([0] * len(rows), rows)
        found.append(F.normalize(model.fused.trunk.late(maps).f_proj, dim=1))
    return torch.cat(found)


def of_people(
    masks: Sequence[Path],
    data: Path,
    images: Sequence[ReidImage],
    model: FusionModel,
    maps: Path,
    times: int,
) -> Scenes:
    """Composed pictures of the training people alone, each picture ``times`` times."""
    names = {str(image.path.relative_to(data)): row for row, image in enumerate(images)}
    found = _chosen(_joined([read_masks(file) for file in masks]), names)
    pictures = LabelledPictures(data, found)
    rows = list(pictures.rows.items()) * times
    indices = np.array([names[name] for name, _ in rows])
    return keep_scenes(maps, model.fused.trunk, pictures, [row for _, row in rows], indices, 1)


def _joined(masks: Sequence[PersonMasks]) -> PersonMasks:
    return PersonMasks(
        tuple(name for one in masks for name in one.names),
        np.concatenate([one.masks for one in masks]),
        np.concatenate([one.overlaps for one in masks]),
        np.concatenate([one.joints for one in masks]),
    )


def _chosen(masks: PersonMasks, names: Iterable[str]) -> PersonMasks:
    wanted = set(names)
    kept = [row for row, name in enumerate(masks.names) if name in wanted]
    return PersonMasks(
        tuple(masks.names[row] for row in kept),
        masks.masks[kept],
        masks.overlaps[kept],
        masks.joints[kept],
    )


@torch.inference_mode()
def calibrated(
    model: FusionModel, maps: Tensor, people: Tensor, states: Sequence[Tensor], whose: Tensor
) -> tuple[float, float]:
    """Slope and midpoint of the cosines of words with pictures of people kept out.

    ``maps (N, C, 16, 8)`` are of pictures of ``people (N,)``, ``states`` of sentences about
    ``whose (M,)``.
    """
    seen = model.shared(model.transformer(model.picture_tokens(maps), None))
    said = model.describe(*padded(states))
    return logistic(said @ seen.T, whose[:, None] == people)


def logistic(cosines: Tensor, right: Tensor) -> tuple[float, float]:
    """Slope and midpoint of the probability that a cosine is ``right``, each kind as likely."""
    centre, spread = cosines.mean(), cosines.std()
    x = (cosines - centre) / spread
    weights = torch.where(right, 0.5 / right.float().mean(), 0.5 / (~right).float().mean())
    slope, shift = torch.zeros(()), torch.zeros(())
    for _ in range(30):  # Newton's method
        p = torch.sigmoid(slope * x + shift)
        error, curve = weights * (p - right.float()), weights * p * (1 - p)
        gradient = torch.stack([(error * x).mean(), error.mean()])
        rows = [(curve * x**2).mean(), (curve * x).mean(), curve.mean()]
        hessian = torch.stack([torch.stack(rows[:2]), torch.stack(rows[1:])])
        step = torch.linalg.solve(hessian + 1e-6 * torch.eye(2), gradient)
        slope, shift = slope - step[0], shift - step[1]
    return float(slope / spread), float(centre - shift * spread / slope)


def _tell(step: int, losses: dict[str, float]) -> None:
    if step % 25 == 0:
        print(step, losses, flush=True)


def main() -> None:
    """Keep maps, train, calibrate, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--maps", type=Path, required=True)
    parser.add_argument("--masks", type=Path, nargs="+", required=True)
    parser.add_argument("--words", type=Path, nargs="+", required=True)
    parser.add_argument("--steps", type=int, default=FusionRecipe().steps)
    parser.add_argument("--times", type=int, default=2, help="that each picture is composed")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if "FUSETRACK_DATA" not in os.environ:
        sys.exit("train_fusion: set FUSETRACK_DATA to a folder that holds reid/")
    data = Path(os.environ["FUSETRACK_DATA"])
    people = READERS["mixed"](data / "reid")
    path = weights_path(START, kind="reid")
    torch.manual_seed(arguments.seed)
    fused, recipe = load_model(path)
    model = FusionModel(fused).eval()
    kept = keep_versions(arguments.maps / "plain", fused.trunk, people.train, 1)
    pictures = Pictures(
        kept,
        unit(model, kept, len(people.train)),
        np.array([image.identity for image in people.train]),
        np.array([image.camera for image in people.train]),
        np.unique([str(image.path.parent) for image in people.train], return_inverse=True)[1],
    )
    sentences = read_words(arguments.words, data, people.train, held_out=False)
    words = Words(encoded([one.text for one in sentences]), [one.shown for one in sentences])
    composed = arguments.maps / "composed"
    scenes = of_people(arguments.masks, data, people.train, model, composed, arguments.times)
    settings = FusionRecipe(steps=arguments.steps, seed=arguments.seed)
    late = replace(settings, learning_rate=_LATE_RATE)
    train_late_copies(model, pictures, scenes, late, _tell)
    fit_tokens(model, pictures, words)
    align_means(model, pictures, words, settings)
    trained = train_fusion(model, pictures, words, scenes, settings, _tell)
    learn_text_head(trained, pictures, words, settings)
    out = people.query + people.gallery
    held = keep_versions(arguments.maps / "kept-out", fused.trunk, out, 1)
    unheard = read_words(arguments.words, data, out, held_out=True)
    slope, midpoint = calibrated(
        trained,
        held.read([0] * len(out), list(range(len(out)))),
        torch.tensor([image.identity for image in out]),
        encoded([one.text for one in unheard]),
        torch.tensor([out[one.shown[0]].identity for one in unheard]),
    )
    known = words_of([one.text for one in sentences])
    fit = WordsFit(slope, midpoint, known)
    save_fusion(arguments.out, FusionFile(trained, recipe, fit, load_similarity(path)))
    print(slope, midpoint)


if __name__ == "__main__":
    main()
