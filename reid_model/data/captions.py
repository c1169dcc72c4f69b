"""Written descriptions of people, and the pictures that each was written of."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reid_model.data.picture_files import DataSetInfo
from reid_model.data.reid_set import ReidSet

_CAPTIONS = DataSetInfo(
    "captions",
    "as CUHK-PEDES from its authors (Shuang Li and others, CVPR 2017), for research only, and has "
    "to be brought into this layout",
    "captions/captions.jsonl in the folder, a JSON object a line: dataset, identity, image (a path "
    "within the folder, or null where only the person is known), captions",
)


@dataclass(frozen=True, slots=True)
class Caption:
    """One description. ``pictures`` is the picture that it was written of or, where that one is not
    known, all of the person's. ``person`` tells the people of all captions apart.
    """

    text: str
    person: int
    pictures: tuple[Path, ...]


def read_captions(root: Path, sets: Mapping[str, ReidSet]) -> tuple[Caption, ...]:
    """The descriptions, in the file's order, of those people whom ``sets`` train on.

    ``sets`` are known by the names that the file uses. Whoever is in none of them, or in the part
    of a set that is for testing, is left out. Raises ValueError as every reader, and when nobody
    is left.
    """
    path = root / "captions" / "captions.jsonl"
    if not path.is_file():
        raise _CAPTIONS.missing(path)
    of_people = _pictures_of_people(sets)
    numbers = {person: number for number, person in enumerate(of_people)}
    found = tuple(
        Caption(text, numbers[person], _pictures(root, image) or of_people[person])
        for person, image, texts in _rows(path)
        if person in of_people
        for text in texts
    )
    if not found:
        raise ValueError(f"{path} describes nobody of the training pictures of {', '.join(sets)}")
    return found


def _pictures_of_people(sets: Mapping[str, ReidSet]) -> dict[tuple[str, int], tuple[Path, ...]]:
    found: dict[tuple[str, int], tuple[Path, ...]] = {}
    for name, one in sets.items():
        for image in one.train:
            person = name, image.identity
            found[person] = (*found.get(person, ()), image.path)
    return found


def _rows(path: Path) -> Iterator[tuple[tuple[str, int], str | None, list[str]]]:
    """Person, picture and texts of each line that is not about a test."""
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                row: dict[str, Any] = json.loads(line)
                person = row["dataset"], int(row["identity"])
                image, texts = row["image"], list(row["captions"])
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(
                    f"captions: cannot read line {number} of {path}. Expected {_CAPTIONS.layout}"
                ) from error
            # CUHK03 numbers the people of its test anew.
            if row.get("split", "train") == "train":
                yield person, image, texts


def _pictures(root: Path, image: str | None) -> tuple[Path, ...]:
    """Raises ValueError when the picture is missing."""
    if image is None:
        return ()
    if not (root / image).is_file():
        raise _CAPTIONS.missing(root / image)
    return (root / image,)
