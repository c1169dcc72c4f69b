"""Written descriptions of people, each with the pictures that it describes."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reid_model.data.picture_files import DataSetInfo
from reid_model.data.reid_set import ReidSet

_CAPTIONS = DataSetInfo(
    "captions",
    "CUHK-PEDES, from its authors (Shuang Li and others, CVPR 2017), for research only, to be "
    "converted to this layout",
    "captions/captions.jsonl in the folder, a JSON object a line: dataset, identity, image (a path "
    "within the folder, or null where only the person is known), captions",
)


@dataclass(frozen=True, slots=True)
class Caption:
    """One description. ``pictures`` is the picture that it describes or, where that is not known,
    all pictures of the person. ``person`` is an index over the people of all data sets.
    """

    text: str
    person: int
    pictures: tuple[Path, ...]


def read_captions(root: Path, sets: Mapping[str, ReidSet]) -> tuple[Caption, ...]:
    """The descriptions of people in the training parts of ``sets``, in the file's order.

    ``sets`` has the file's names of the data sets as keys. People of other sets, and of the test
    parts, are left out. Raises ValueError as every reader, and when no description is left.
    """
    path = root / "captions" / "captions.jsonl"
    if not path.is_file():
        raise _CAPTIONS.missing(path)
    by_person = _pictures_by_person(sets)
    indices = {person: index for index, person in enumerate(by_person)}
    found = tuple(
        Caption(text, indices[person], _pictures(root, image) or by_person[person])
        for person, image, texts in _rows(path)
        if person in by_person
        for text in texts
    )
    if not found:
        raise ValueError(
            f"{path} describes no person in the training pictures of {', '.join(sets)}"
        )
    return found


def _pictures_by_person(sets: Mapping[str, ReidSet]) -> dict[tuple[str, int], tuple[Path, ...]]:
    found: dict[tuple[str, int], tuple[Path, ...]] = {}
    for name, one in sets.items():
        for image in one.train:
            person = name, image.identity
            found[person] = (*found.get(person, ()), image.path)
    return found


def _rows(path: Path) -> Iterator[tuple[tuple[str, int], str | None, list[str]]]:
    """Person, picture and texts of each line, but for those of test parts."""
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
            # CUHK03 numbers the identities of its test part separately.
            if row.get("split", "train") == "train":
                yield person, image, texts


def _pictures(root: Path, image: str | None) -> tuple[Path, ...]:
    """The picture, or nothing for None. Raises ValueError when the picture is missing."""
    if image is None:
        return ()
    if not (root / image).is_file():
        raise _CAPTIONS.missing(root / image)
    return (root / image,)
