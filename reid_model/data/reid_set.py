"""A ReID data set: pictures with their identity and camera."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ReidImage:
    """One picture of one person. ``identity`` and ``camera`` are valid within one ReidSet only."""

    path: Path
    identity: int
    camera: int


@dataclass(frozen=True, slots=True)
class ReidSet:
    """The training pictures, the queries and the gallery; each may be empty.

    The order is the same on every machine: by name, or that of a list file.
    """

    name: str
    train: tuple[ReidImage, ...]
    query: tuple[ReidImage, ...]
    gallery: tuple[ReidImage, ...]


def class_labels(images: Sequence[ReidImage]) -> NDArray[np.int64]:
    """The class ``(N,)`` of every picture, 0..C-1 in the order of the identities' numbers."""
    return np.unique([image.identity for image in images], return_inverse=True)[1].astype(np.int64)


def joined(name: str, sets: Sequence[ReidSet]) -> ReidSet:
    """The training pictures of several sets as one; no two sets share an identity or a camera.

    Query and gallery are empty: each set is evaluated separately.
    """
    images = [(number, image) for number, one in enumerate(sets) for image in one.train]
    identities = _numbers((number, image.identity) for number, image in images)
    cameras = _numbers((number, image.camera) for number, image in images)
    train = tuple(
        replace(
            image,
            identity=identities[number, image.identity],
            camera=cameras[number, image.camera],
        )
        for number, image in images
    )
    return ReidSet(name, train, (), ())


def _numbers(keys: Iterable[tuple[int, int]]) -> dict[tuple[int, int], int]:
    return {key: number for number, key in enumerate(sorted(set(keys)))}
