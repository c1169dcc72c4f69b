"""Train the shipped omni-scale network on: its late stages, on maps kept of its early ones.

    FUSETRACK_DATA=FOLDER python scripts/train_late.py OUT.safetensors --maps MAPS

FOLDER holds reid/ (market1501, cuhk03, cuhk01) and weights/ (Open Model Zoo's retail-0286, the
second teacher). MAPS takes 2.3 GB for each version of the pictures; maps that are there already
are used again. One identity in twenty is kept out: the figures told at the end are theirs.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from pipeline.reid.models import embeddings, open_model
from pipeline.weights import weights_path
from reid_model.data import READERS
from reid_model.data.dataset import EvaluationPictures, TrainingPictures
from reid_model.data.reid_set import ReidImage
from reid_model.data.transforms import TrainTransform
from reid_model.networks.fused import FusedModel
from reid_model.training.batches import evaluation_transform
from reid_model.training.build import build_encoder, new_model
from reid_model.training.kept_maps import KeptMaps, keep_maps
from reid_model.training.late_stages import Known, LateRecipe, mixed_weights, train_late
from reid_model.training.measure import measure
from reid_model.training.model_files import load_model, save_model
from reid_model.training.recipe import ModelRecipe

START = "omni-scale-open"
SECOND_TEACHER = "person-reidentification-retail-0286.FP16.xml"
#: Pictures as other cameras, careless detectors and crowds make them.
CHANGES = TrainTransform(
    pad=10, erase=0.25, tight=0.4, coarse=0.35, recolour=0.65, occlude=0.2, hue=0.05
)


class ChangedPictures(Dataset[Tensor]):
    """One version of every picture, changed by chance, but always the same."""

    def __init__(self, images: tuple[ReidImage, ...], version: int) -> None:
        self._pictures = TrainingPictures(images, CHANGES)
        self._version = version

    def __getitem__(self, index: int) -> Tensor:
        return self._pictures[index, self._version * len(self._pictures) + index][0]


class Told:
    """Writes a line for every thousandth picture."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __call__(self, done: int, count: int) -> None:
        if done // 1000 != (done - 16) // 1000 or done == count:
            print(f"{self._what}: {done} of {count}", flush=True)


def unit(name: str, images: tuple[ReidImage, ...]) -> Tensor:
    """What a network says of the unchanged pictures: unit vectors ``(N, D)``."""
    paths = [image.path for image in images]
    return torch.from_numpy(np.concatenate(list(embeddings(open_model(name), paths, Told(name)))))


def start_model(mscsa_modules: int) -> tuple[FusedModel, ModelRecipe]:
    """The open network as a fused model; its MSCSA are new."""
    embedder, recipe = load_model(weights_path(START, kind="reid"))
    recipe = replace(recipe, mscsa_modules=mscsa_modules)
    model = new_model(recipe, 1, build_encoder(recipe))
    model.load_state_dict(embedder.state_dict(), strict=False)
    return model.eval(), recipe


def versions_of(images: tuple[ReidImage, ...], count: int) -> Iterator[Dataset[Tensor]]:
    """The pictures unchanged, then changed ones."""
    yield EvaluationPictures(images, evaluation_transform((256, 128)))
    for version in range(1, count):
        yield ChangedPictures(images, version)


def main() -> None:
    """Keep maps, train, mix, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--maps", type=Path, required=True)
    parser.add_argument("--versions", type=int, default=3)
    parser.add_argument("--mscsa-modules", type=int, default=0)
    parser.add_argument("--steps", type=int, default=LateRecipe().steps)
    parser.add_argument("--share", type=float, default=0.5, help="of the way from the start")
    arguments = parser.parse_args()
    data = os.environ.get("FUSETRACK_DATA")
    if data is None:
        sys.exit("train_late: set FUSETRACK_DATA to a folder that holds reid/ and weights/")
    people = READERS["mixed"](Path(data) / "reid")
    model, recipe = start_model(arguments.mscsa_modules)
    kept = KeptMaps(arguments.maps, arguments.versions, len(people.train), (384, 16, 8))
    for version, pictures in enumerate(versions_of(people.train, arguments.versions)):
        done = arguments.maps / f"done-{version}"
        if not done.exists():
            keep_maps(kept, version, model.trunk, pictures, len(people.train), Told("maps"))
            done.touch()
    ours = unit(START, people.train)
    theirs = unit(str(Path(data) / "weights" / SECOND_TEACHER), people.train)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    average = train_late(
        model,
        kept,
        arguments.versions,
        people.train,
        Known(ours, torch.cat([ours, theirs], dim=1) / 2**0.5),
        LateRecipe(steps=arguments.steps),
        lambda step, losses: print(step, losses, flush=True) if step % 50 == 0 else None,
    )
    average.load_state_dict(mixed_weights(before, average.state_dict(), arguments.share))
    embedder = average.eval().deploy()
    figures, similarity = measure(embedder, people, recipe.image_size)
    save_model(arguments.out, embedder, recipe, similarity, torch.float16)
    print(figures, similarity)


if __name__ == "__main__":
    main()
