"""Train the shipped omni-scale network on: its late stages, on maps kept of its early ones.

    FUSETRACK_DATA=FOLDER python scripts/train_late.py OUT.safetensors --maps MAPS

FOLDER holds reid/ (market1501, cuhk03, cuhk01) and weights/ (Open Model Zoo's retail-0286, the
second teacher). MAPS takes 2.3 GB for each version of the pictures; maps that are there already
are used again. With ``--masks FILES``, what ``scripts/person_masks.py`` wrote, there are two more
versions: people cut out and put before other backgrounds, behind people and things. One identity
in twenty is kept out: the figures printed at the end are theirs.
"""

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.reid.models import embeddings, open_model
from pipeline.weights import weights_path
from reid_model.data import READERS
from reid_model.data.composed_pictures import LabelledPictures
from reid_model.data.person_masks import joined_masks, read_masks
from reid_model.data.reid_set import ReidImage
from reid_model.training.kept_maps import CutOutPictures, keep_versions
from reid_model.training.late_stages import (
    Known,
    LateRecipe,
    late_start,
    mixed_weights,
    train_late,
)
from reid_model.training.measure import measure
from reid_model.training.model_files import save_model

START = "omni-scale-open"
# How many versions have people cut out, and the seed of the first.
_CUT_OUT, _FIRST_CUT_OUT = 2, 1000
SECOND_TEACHER = "person-reidentification-retail-0286.FP16.xml"


class ProgressLines:
    """Writes a line for every thousand pictures."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._thousands = 0

    def __call__(self, done: int, count: int) -> None:
        if done // 1000 != self._thousands or done == count:
            print(f"{self._what}: {done} of {count}", flush=True)
        self._thousands = done // 1000


def unit(name: str, images: tuple[ReidImage, ...]) -> Tensor:
    """What a network says of the unchanged pictures: unit vectors ``(N, D)``."""
    paths = [image.path for image in images]
    return torch.from_numpy(
        np.concatenate(list(embeddings(open_model(name), paths, ProgressLines(name))))
    )


def cut_out(data: Path, files: list[Path], images: tuple[ReidImage, ...]) -> list[CutOutPictures]:
    """The versions with people cut out; only ``images`` and their backgrounds are used."""
    found = joined_masks([read_masks(file) for file in files])
    indices = {image.path: index for index, image in enumerate(images)}
    training = found.only([data / name in indices for name in found.names])
    pictures = LabelledPictures(data, training)
    rows = {indices[data / name]: row for name, row in pictures.rows.items()}
    return [
        CutOutPictures(images, rows, pictures, version)
        for version in range(_FIRST_CUT_OUT, _FIRST_CUT_OUT + _CUT_OUT)
    ]


def main() -> None:
    """Keep maps, train, mix, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--maps", type=Path, required=True)
    parser.add_argument("--versions", type=int, default=3)
    parser.add_argument("--masks", type=Path, nargs="*", default=[])
    parser.add_argument("--mscsa-modules", type=int, default=0)
    parser.add_argument("--steps", type=int, default=LateRecipe().steps)
    parser.add_argument("--share", type=float, default=0.5, help="of the way from the start")
    arguments = parser.parse_args()
    data = os.environ.get("FUSETRACK_DATA")
    if data is None:
        sys.exit("train_late: set FUSETRACK_DATA to a folder that holds reid/ and weights/")
    people = READERS["mixed"](Path(data) / "reid")
    model, recipe = late_start(weights_path(START, kind="reid"), arguments.mscsa_modules)
    more = cut_out(Path(data), arguments.masks, people.train) if arguments.masks else []
    versions = arguments.versions + len(more)
    kept = keep_versions(
        arguments.maps,
        model.trunk,
        people.train,
        arguments.versions,
        ProgressLines("maps"),
        more,
    )
    ours = unit(START, people.train)
    theirs = unit(str(Path(data) / "weights" / SECOND_TEACHER), people.train)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    average = train_late(
        model,
        kept,
        versions,
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
