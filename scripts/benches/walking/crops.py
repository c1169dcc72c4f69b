"""The crops that walks are made of: their person, camera and embedding."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reid_model.embedder import Embedder

_AT_ONCE = 64
# People whose pictures from some camera show another person of the set, as seen by eye: they would
# make right links wrong. CUHK03 val: 31 is 23; from the second camera 76 is 74, and 77 is 76.
_MISNAMED_CUHK03 = {31, 76, 77}
# Market-1501: 182 is 60, 1062 is 502, 1073 is 91, 1247 is 1074.
_MISNAMED_MARKET = {182, 1062, 1073, 1247}


@dataclass(frozen=True, slots=True, eq=False)
class Crops:
    """``person`` and ``camera`` are ``(N,)`` numbers, ``vectors`` ``(N, D)`` unit vectors."""

    person: NDArray[np.int64]
    camera: NDArray[np.int64]
    vectors: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class CropFile:
    """One crop in a file."""

    path: Path
    person: int
    camera: int


def _market(*folders: str) -> Callable[[Path], Iterator[CropFile]]:
    def pictures(data: Path) -> Iterator[CropFile]:
        for folder in folders:
            for path in sorted((data / "reid" / "market1501" / folder).glob("*.jpg")):
                person, _, rest = path.stem.partition("_c")
                if int(person) > 0 and int(person) not in _MISNAMED_MARKET:
                    yield CropFile(path, int(person), int(rest[0]) - 1)

    return pictures


def _cuhk03(folder: str) -> Callable[[Path], Iterator[CropFile]]:
    def pictures(data: Path) -> Iterator[CropFile]:
        for path in sorted((data / "reid" / "cuhk03" / folder).glob("*.webp")):
            person, _, view = path.stem.partition("_")
            if folder != "val" or int(person) not in _MISNAMED_CUHK03:
                yield CropFile(path, int(person), int(view) // 5)

    return pictures


#: Rules are chosen on the people of ``market-train`` and ``cuhk03-train`` and judged on the others.
SETS: dict[str, Callable[[Path], Iterator[CropFile]]] = {
    "market": _market("query", "bounding_box_test"),
    "cuhk03": _cuhk03("val"),
    "market-train": _market("bounding_box_train"),
    "cuhk03-train": _cuhk03("train"),
}


def read_crops(data: Path, name: str, kept: Path, open_embedder: Callable[[], Embedder]) -> Crops:
    """The crops of the set ``name``; vectors are cached in the file ``kept``."""
    pictures = list(SETS[name](data))
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        embedder = open_embedder()
        parts = [
            embedder.embed([_read(one.path) for one in pictures[first : first + _AT_ONCE]])
            for first in range(0, len(pictures), _AT_ONCE)
        ]
        np.save(kept, np.concatenate(parts).astype(np.float16))
    vectors = np.load(kept).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Crops(
        np.array([one.person for one in pictures], np.int64),
        np.array([one.camera for one in pictures], np.int64),
        vectors,
    )


def _read(path: Path) -> NDArray[np.uint8]:
    return np.asarray(cv2.imread(str(path)), np.uint8)
