"""Vectors that the ReID bench keeps."""

from pathlib import Path

import cv2
import numpy as np

import reid
from reid_model.data import ReidImage, ReidSet


class MeanColour:
    """A stand-in for a network: the mean of each channel, as a unit vector."""

    dimension = 3

    def __init__(self) -> None:
        self.seen = 0

    def embed(self, crops: list[np.ndarray]) -> np.ndarray:
        self.seen += len(crops)
        means = np.array([crop.mean(axis=(0, 1)) for crop in crops], np.float32)
        return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True), np.float32)


def people(folder: Path) -> ReidSet:
    """Two people in clothes of their own before two cameras."""
    images = []
    for number, colour in enumerate([(200, 9, 9), (9, 200, 9), (190, 9, 9), (9, 190, 9)]):
        path = folder / f"{number}.png"
        cv2.imwrite(str(path), np.full((8, 4, 3), colour, np.uint8))
        images.append(ReidImage(path, number % 2, number // 2))
    return ReidSet("toys", (), tuple(images[:2]), tuple(images[2:]))


def test_what_is_kept_is_not_computed_again(tmp_path: Path) -> None:
    toys, network = people(tmp_path), MeanColour()
    first = reid.accuracy(network, toys, tmp_path / "net")  # type: ignore[arg-type]
    assert first == {"toys_r1": 1.0, "toys_map": 1.0}
    assert network.seen == 4
    assert reid.accuracy(network, toys, tmp_path / "net") == first  # type: ignore[arg-type]
    assert network.seen == 4


def test_what_was_stopped_goes_on(tmp_path: Path) -> None:
    images, network = people(tmp_path).query, MeanColour()
    whole = reid.vectors(network, images)  # type: ignore[arg-type]
    np.save(tmp_path / "kept.npy", whole[:1])
    found = reid.vectors(network, images, tmp_path / "kept.npy")  # type: ignore[arg-type]
    np.testing.assert_array_equal(found, whole)
    np.testing.assert_array_equal(np.load(tmp_path / "kept.npy"), whole)
    assert network.seen == 3
