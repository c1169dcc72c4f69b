"""Training pictures composed for each epoch: other backgrounds, people and things before people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.random import Generator
from torch.utils.data import Dataset

from reid_model.data.augment import recoloured
from reid_model.data.composition import (
    as_filmed,
    before,
    behind_person,
    behind_thing,
    boxed,
    emptied,
    noise,
    part_of_plate,
)
from reid_model.data.labelled_picture import Image, LabelledPicture, labelled
from reid_model.data.person_masks import PersonMasks
from reid_model.data.transforms import IMAGENET

_HUE = 0.04


@dataclass(frozen=True, slots=True)
class Shares:
    """How often a picture is changed in which way; the rest of pictures keep their background."""

    other_background: float = 0.75
    behind: float = 0.3
    filmed: float = 0.6
    recoloured: float = 0.4


class LabelledPictures:
    """The pictures of a data folder whose masks are trusted, by row."""

    def __init__(self, data: Path, found: PersonMasks) -> None:
        self._data = data
        self._found = found
        self.rows: Mapping[str, int] = found.rows()
        self._believed = list(self.rows.values())

    def __getitem__(self, row: int) -> LabelledPicture:
        """Raises ValueError when the file is not a picture."""
        name = self._found.names[row]
        image = cv2.imread(str(self._data / name))
        if image is None:
            raise ValueError(f"{self._data / name} cannot be read as a picture")
        return labelled(
            np.asarray(image, np.uint8), self._found.masks[row], self._found.joints[row]
        )

    def any_of(self, rng: Generator) -> LabelledPicture:
        """One by chance."""
        return self[int(rng.choice(self._believed))]


def any_background(pictures: LabelledPictures, plates: Sequence[Image], rng: Generator) -> Image:
    """A place ``(256, 128, 3)`` uint8 BGR: mostly what was behind another person."""
    kind = rng.random()
    if kind < 0.2:
        return noise(rng)
    if kind < 0.4 and plates:
        return part_of_plate(plates[int(rng.integers(len(plates)))], rng)
    return emptied(pictures.any_of(rng))


def composed(
    picture: LabelledPicture,
    pictures: LabelledPictures,
    plates: Sequence[Image],
    shares: Shares,
    rng: Generator,
) -> LabelledPicture:
    """One picture changed by chance: another background or box, a person or a thing before the
    person, filmed. ``plates`` are BGR pictures of places without people, of any size."""
    if rng.random() < shares.other_background:
        picture = before(picture, any_background(pictures, plates, rng), rng)
    else:
        picture = boxed(picture, rng)
    if rng.random() < shares.behind:
        if rng.random() < 0.6:
            picture = behind_person(picture, pictures.any_of(rng), rng)
        else:
            picture = behind_thing(picture, any_background(pictures, plates, rng), rng)
    return as_filmed(picture, rng) if rng.random() < shares.filmed else picture


class ComposedPictures(Dataset[torch.Tensor]):
    """Normalised RGB ``(3, 256, 128)`` of each of ``rows``, composed by chance, always the same for
    the same ``seed``; colours change as from camera to camera."""

    def __init__(
        self,
        rows: Sequence[int],
        pictures: LabelledPictures,
        plates: Sequence[Image],
        seed: int,
        shares: Shares | None = None,
    ) -> None:
        self._rows = rows
        self._pictures = pictures
        self._plates = plates
        self._seed = seed
        self._shares = shares or Shares()

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> torch.Tensor:
        """Raises ValueError when a file is not a picture."""
        rng = np.random.default_rng([self._seed, index])
        picture = self._pictures[self._rows[index]]
        found = composed(picture, self._pictures, self._plates, self._shares, rng)
        rgb = torch.from_numpy(found.image[..., ::-1].copy()).permute(2, 0, 1)
        if rng.random() < self._shares.recoloured:
            generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
            rgb = recoloured(rgb, generator, _HUE)
        return IMAGENET(rgb)
