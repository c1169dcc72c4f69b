"""How much of what a ReID network knows a person by is the background.

    FUSETRACK_DATA=FOLDER ./scripts/bench backgrounds MASKS.npz

Queries are camera A's pictures of CUHK03's val, the gallery camera B's, of those whose masks
(`scripts/person_masks.py`) are trusted: as they are, and cut out and put before two empty places,
one a camera, in another box and compressed. Rank 1 and mAP.
"""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema import ReidConfig
from pipeline.reid.embedding import open_embedder
from printing import show
from reid_model.data import READERS, ReidImage
from reid_model.data.composed_pictures import LabelledPictures
from reid_model.data.composition import as_filmed, before, part_of_plate
from reid_model.data.labelled_picture import Image
from reid_model.data.person_masks import read_masks
from reid_model.embedder import Embedder
from reid_model.evaluation import evaluate
from walking.plates import plates

MODELS = ("omni-scale-people", "omni-scale-open")


def before_places(
    pictures: LabelledPictures, row: int, places: list[Image], camera: int, seed: int
) -> Image:
    """A person before some part of the place of ``camera``, 1 or 2."""
    rng = np.random.default_rng([seed, row])
    place = part_of_plate(places[camera - 1], rng)
    return as_filmed(before(pictures[row], place, rng), rng).image


def accuracy(
    embedder: Embedder, images: list[ReidImage], shown: Callable[[int], Image]
) -> dict[str, float]:
    """Rank 1 and mAP of camera 1's pictures among camera 2's."""
    vectors = embedder.embed([shown(index) for index in range(len(images))])
    people = np.array([image.identity for image in images])
    cameras: NDArray[np.int64] = np.array([image.camera for image in images])
    a, b = cameras == 1, cameras == 2
    found = evaluate(vectors[a], people[a], cameras[a], vectors[b], people[b], cameras[b])
    return {"r1": round(float(found.cmc[0]), 3), "map": round(found.mean_average_precision, 3)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("masks", type=Path)
    parser.add_argument("models", nargs="*", default=MODELS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if "FUSETRACK_DATA" not in os.environ:
        sys.exit("bench backgrounds: set FUSETRACK_DATA to a folder that holds reid/")
    data = Path(os.environ["FUSETRACK_DATA"])
    val = READERS["cuhk03"](data / "reid" / "cuhk03")
    pictures = LabelledPictures(data, read_masks(arguments.masks))
    names = {image: image.path.relative_to(data).as_posix() for image in val.query + val.gallery}
    images = [image for image, name in names.items() if name in pictures.rows]
    rows = [pictures.rows[names[image]] for image in images]
    places = plates(data, 2)

    def elsewhere(index: int) -> Image:
        camera = images[index].camera
        return before_places(pictures, rows[index], places, camera, arguments.seed)

    found = {}
    for model in arguments.models:
        embedder = open_embedder(ReidConfig(model=model), "cpu")
        plain = accuracy(embedder, images, lambda index: pictures[rows[index]].image)
        moved = accuracy(embedder, images, elsewhere)
        found[Path(model).name] = {
            **{f"as_they_are_{name}": value for name, value in plain.items()},
            **{f"elsewhere_{name}": value for name, value in moved.items()},
            "pictures": float(len(images)),
        }
    show(found, "model", list(next(iter(found.values()))), as_json=arguments.json)


if __name__ == "__main__":
    main()
