"""Picture files, and pictures by key."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from reid_model.data import ReidImage
from reid_model.data.dataset import NO_IDENTITY, EvaluationPictures, TrainingPictures, seeded
from reid_model.data.picture_files import read_picture
from reid_model.data.sampler import PKSampler
from reid_model.data.transforms import EvaluationTransform, TrainTransform


@pytest.fixture
def images(tmp_path: Path) -> list[ReidImage]:
    """Three people with two pictures of noise each."""
    random = np.random.default_rng(0)
    found = []
    for number in range(6):
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), random.integers(0, 256, (16, 8, 3), np.uint8))
        found.append(ReidImage(path, 10 * (number // 2), number % 2))
    return found


@pytest.mark.parametrize(
    ("pixel", "colour"),
    [
        ((10, 20, 200), [200, 20, 10]),  # written as BGR, read as RGB
        ((10, 20, 200, 0), [200, 20, 10]),  # transparency is dropped
        ((70,), [70, 70, 70]),
    ],
)
def test_read_picture(pixel: tuple[int, ...], colour: list[int], tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.tile(np.array(pixel, np.uint8), (2, 5, 1)))
    found = read_picture(path)
    assert (found.shape, found.dtype) == ((3, 2, 5), torch.uint8)
    assert found[:, 0, 0].tolist() == colour


def test_files_that_are_not_pictures(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"gone\.jpg does not exist"):
        read_picture(tmp_path / "gone.jpg")
    for name, content in (("empty.jpg", b""), ("words.jpg", b"not a picture")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=f"{name} cannot be read"):
            read_picture(tmp_path / name)


def test_a_mixed_picture_has_no_identity(images: list[ReidImage]) -> None:
    same, mixed = (
        TrainingPictures(images, TrainTransform(16, 8, flip=0, pad=0, erase=0), mix=mix)
        for mix in (0.0, 0.5)
    )
    found = [mixed[1, seed] for seed in range(60)]
    assert 15 < sum(label == NO_IDENTITY for _, label in found) < 45
    plain = [pixels for pixels, label in found if label != NO_IDENTITY]
    assert all(torch.equal(pixels, same[1, 0][0]) for pixels in plain)
    mixtures = [pixels for pixels, label in found if label == NO_IDENTITY]
    assert sum(torch.equal(pixels, same[1, 0][0]) for pixels in mixtures) < len(mixtures) / 2
    assert all(torch.equal(mixed[1, seed][0], found[seed][0]) for seed in range(60))


def test_training_pictures(images: list[ReidImage]) -> None:
    pictures = TrainingPictures(images, TrainTransform(32, 16, occlude=1.0))
    assert len(pictures) == 6
    assert [pictures[index, 0][1] for index in range(6)] == [0, 0, 1, 1, 2, 2]
    pixels = [pictures[3, seed][0] for seed in (1, 1, 2)]
    assert pixels[0].shape == (3, 32, 16)
    assert torch.equal(pixels[0], pixels[1])
    assert not torch.equal(pixels[0], pixels[2])


def test_batches_of_an_epoch(images: list[ReidImage]) -> None:
    pictures = TrainingPictures(images, TrainTransform(32, 16))
    sampler = PKSampler(pictures.labels, identities=3, images=2)
    keys = seeded(sampler.epoch(7), sampler.seed, 7)
    (batch,) = DataLoader(pictures, batch_sampler=keys)
    pixels, labels = batch
    assert pixels.shape == (6, 3, 32, 16)
    assert sorted(labels.tolist()) == [0, 0, 1, 1, 2, 2]
    index, seed = keys[0][4]
    assert torch.equal(pixels[4], pictures[index, seed][0])


def test_seeds() -> None:
    batches = [[3, 3], [1]]
    found = seeded(batches, 1234, 5)
    assert [[index for index, _ in batch] for batch in found] == batches
    assert len({seed for batch in found for _, seed in batch}) == 3
    assert seeded(batches, 1234, 5) == found
    assert seeded(batches, 1234, 6) != found
    assert seeded(batches, 1235, 5) != found
    assert seeded([], 1234, 5) == []


def test_evaluation_pictures(images: list[ReidImage]) -> None:
    pictures = EvaluationPictures(images, EvaluationTransform(16, 8))
    (pixels,) = DataLoader(pictures, batch_size=6)
    assert pixels.shape == (6, 3, 16, 8)
    expected = EvaluationTransform(16, 8)(read_picture(images[4].path))
    assert torch.equal(pixels[4], expected)
