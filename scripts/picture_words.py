"""Write sentences of what can be seen of the people in training and test pictures.

    FUSETRACK_DATA=FOLDER python scripts/picture_words.py OUT.jsonl MASKS.npz...

One JSON object a line for each picture whose mask is trusted: ``name``, ``dataset``, ``identity``,
``part`` (train or test), ``clothes``, ``sentences`` for training and ``held_out`` for the test.
Colours come from the pixels of the garments; sleeves, trousers, bag, backpack and hat from
Market-1501's attributes, elsewhere from Open Model Zoo's person-attributes network in
FOLDER/weights, whose output for gender is not read. With ``--written`` the written descriptions of
FOLDER/reid/captions are written in the same form, words of gender, age and ethnicity made neutral.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reid_model.atomic_file import replacing
from reid_model.data.clothes import Clothes, agreed_clothes, seen_colours
from reid_model.data.composed_pictures import LabelledPictures
from reid_model.data.market1501 import read_market1501
from reid_model.data.market_attributes import read_attributes
from reid_model.data.neutral_words import neutral
from reid_model.data.person_masks import read_masks
from reid_model.data.phrases import Use, sentence
from reid_model.openvino_runtime import core, read_network

_NETWORK = "person-attributes-recognition-crossroad-0230.FP16.xml"
_SIZE = 80, 160
# Of the network's outputs, those that are read: above the second it is there, below the first not.
# Fitted to Market-1501's attributes; between them nothing is named.
_OUTPUTS = {
    "bag": (1, 0.2, 0.65),
    "backpack": (2, 0.2, 0.45),
    "hat": (3, 0.2, 0.35),
    "long_sleeves": (4, 0.3, 0.6),
    "long_legs": (5, 0.2, 0.4),
}
_SENTENCES, _HELD_OUT = 6, 3
_TEST_FOLDERS = ("val", "query", "bounding_box_test")


@dataclass(frozen=True, slots=True)
class Named:
    """A picture by its path within the data folder ``reid/DATASET/FOLDER/IDENTITY_REST``."""

    name: str

    @property
    def dataset(self) -> str:
        return self.name.split("/")[1]

    @property
    def part(self) -> Use:
        return "test" if self.name.split("/")[2] in _TEST_FOLDERS else "train"

    @property
    def identity(self) -> int:
        return int(Path(self.name).name.split("_")[0])

    @property
    def person(self) -> tuple[str, Use, int]:
        return self.dataset, self.part, self.identity


class Attributes:
    """What is worn and carried, as Open Model Zoo's network sees it."""

    def __init__(self, data: Path) -> None:
        network = read_network(data / "weights" / _NETWORK)
        self._network = core().compile_model(network, "CPU", {"PERFORMANCE_HINT": "LATENCY"})

    def __call__(self, images: list[NDArray[np.uint8]]) -> Clothes:
        """Of all BGR pictures of one person together."""
        found = np.mean([self._outputs(image) for image in images], axis=0)
        return Clothes(
            **{
                name: bool(found[output] > yes) if not no < found[output] <= yes else None
                for name, (output, no, yes) in _OUTPUTS.items()
            }
        )

    def _outputs(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        pixels = cv2.resize(image, _SIZE).transpose(2, 0, 1)[None].astype(np.float32)
        return np.asarray(self._network(pixels)[0], np.float32).ravel()


def described(data: Path, masks: Path, seed: int) -> Iterator[dict[str, object]]:
    """The rows of one file of masks."""
    pictures = LabelledPictures(data, read_masks(masks))
    people: dict[tuple[str, Use, int], list[str]] = {}
    for name in pictures.rows:
        people.setdefault(Named(name).person, []).append(name)
    annotated = read_attributes(data / "reid" / "market1501")
    attributes = Attributes(data)
    for (dataset, part, identity), names in sorted(people.items()):
        labelled = [pictures[pictures.rows[name]] for name in names]
        worn = (
            annotated.get(identity, Clothes())
            if dataset == "market1501"
            else attributes([picture.image for picture in labelled])
        )
        colours = agreed_clothes([seen_colours(picture) for picture in labelled])
        clothes = replace(worn, upper=colours.upper, lower=colours.lower)
        rng = np.random.default_rng([seed, identity])
        for name in names:
            yield {
                "name": name,
                "dataset": dataset,
                "part": part,
                "identity": identity,
                "clothes": asdict(clothes),
                "sentences": _sentences(clothes, "train", _SENTENCES, rng),
                "held_out": _sentences(clothes, "test", _HELD_OUT, rng),
            }


def _sentences(clothes: Clothes, use: Use, count: int, rng: np.random.Generator) -> list[str]:
    drawn = [sentence(clothes, use, rng) for _ in range(count)]
    return sorted({one for one in drawn if one is not None})


def written(data: Path) -> Iterator[dict[str, object]]:
    """The written descriptions, neutral; ``name`` is None where only the person is known."""
    test = {image.identity for image in read_market1501(data / "reid" / "market1501").query}
    with (data / "reid" / "captions" / "captions.jsonl").open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            image = row["image"]
            yield {
                "name": None if image is None else f"reid/{image}",
                "dataset": row["dataset"],
                "part": "test" if _is_test(row, test) else "train",
                "identity": int(row["identity"]),
                "sentences": sorted({neutral(text) for text in row["captions"]}),
            }


def _is_test(row: dict[str, Any], market1501: set[int]) -> bool:
    """Whether the person of a row is in a test part; Market-1501's rows do not say it."""
    if row["dataset"] == "market1501":
        return int(row["identity"]) in market1501
    return row.get("split", "train") != "train"


def main() -> None:
    """Write the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("masks", type=Path, nargs="*")
    parser.add_argument("--written", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    data = os.environ.get("FUSETRACK_DATA")
    if data is None:
        sys.exit("picture_words: set FUSETRACK_DATA to a folder that holds reid/")
    cv2.setNumThreads(1)
    rows = list(written(Path(data))) if arguments.written else []
    for masks in arguments.masks:
        rows += described(Path(data), masks, arguments.seed)
    with replacing(arguments.out) as partial:
        partial.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    print(f"{len(rows)} rows")


if __name__ == "__main__":
    main()
