import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from reid_model.data.transforms import IMAGENET
from reid_model.embedder import Embedder, EmbedderSpec
from reid_model.training.teachers import teacher_of
from reid_toys import at_once

SPEC = EmbedderSpec(8, 4, "bgr", 1.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def test_a_teacher_of_plain_pictures_ignores_the_augmentation() -> None:
    embeddings = torch.arange(12.0).reshape(4, 3)
    teacher = teacher_of(embeddings, 4, "plain")
    assert teacher.dimension == 3
    assert torch.equal(teacher.embed([2, 0], torch.zeros(2, 3, 8, 4)), embeddings[[2, 0]])
    with pytest.raises(ValueError, match="a teacher has embeddings of 4 pictures, but there are 5"):
        teacher_of(embeddings, 5, "plain")


def test_a_teacher_of_augmented_pictures_gets_their_pixels() -> None:
    shown = []

    def forward(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        shown.append(pictures)
        return np.ones((len(pictures), 2), np.float32)

    embedder = Embedder(at_once(forward), SPEC, "cpu", batch=4)
    teacher = teacher_of(embedder, 100, "augmented")
    assert teacher.dimension == 2
    random = torch.Generator().manual_seed(0)
    rgb = torch.randint(256, (3, 3, 8, 4), generator=random, dtype=torch.uint8)
    embeddings = teacher.embed([0, 1, 2], torch.stack([IMAGENET(picture) for picture in rgb]))
    assert embeddings.shape == (3, 2)
    assert np.array_equal(shown[-1], rgb.flip(1).permute(0, 2, 3, 1).numpy())
    # Noise may be outside 0..255.
    teacher.embed([0], torch.full((1, 3, 8, 4), 99.0))
    assert (shown[-1] == 255).all()


def test_a_teacher_must_fit_the_view() -> None:
    network = at_once(lambda pictures: np.ones((len(pictures), 2), np.float32))
    embedder = Embedder(network, SPEC, "cpu", 4)
    with pytest.raises(
        ValueError, match="teacher_view plain a teacher must be given as its embeddings"
    ):
        teacher_of(embedder, 4, "plain")
    with pytest.raises(
        ValueError, match="teacher_view augmented a teacher must be given as an Embedder"
    ):
        teacher_of(torch.ones(4, 3), 4, "augmented")
