"""Pictures to tensors: against Pillow, and the bounds of each random augmentation."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from reid_model.data import augment
from reid_model.data.transforms import (
    IMAGENET,
    EvaluationTransform,
    Normalisation,
    TrainTransform,
)

PLAIN = TrainTransform(flip=0, pad=0, erase=0)
EVERYTHING = TrainTransform(flip=0.5, pad=10, erase=1, tight=1, coarse=1, recolour=1, occlude=1)


def some_picture(height: int, width: int, seed: int = 0) -> torch.Tensor:
    """Smooth noise: ``(3, height, width)`` uint8."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand((1, 3, 8, 4), generator=generator)
    fine = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    return (fine[0] * 255).to(torch.uint8)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("size", [(128, 64), (400, 300), (256, 128), (1, 1)])
@pytest.mark.parametrize(
    ("transform", "method"),
    [
        (EvaluationTransform(), "BILINEAR"),
        (lambda picture: PLAIN(picture, seeded(0)), "BICUBIC"),
    ],
)
def test_against_pillow(
    size: tuple[int, int], transform: Callable[[torch.Tensor], torch.Tensor], method: str
) -> None:
    pillow = pytest.importorskip("PIL.Image")
    picture = some_picture(*size)
    resized = pillow.fromarray(picture.permute(1, 2, 0).numpy()).resize(
        (128, 256), getattr(pillow.Resampling, method)
    )
    expected = (np.asarray(resized) / 255 - IMAGENET.mean) / IMAGENET.std
    found = transform(picture)
    assert (found.dtype, found.shape) == (torch.float32, (3, 256, 128))
    one_step = 1 / 255 / min(IMAGENET.std)
    np.testing.assert_allclose(found.permute(1, 2, 0), expected, atol=1.01 * one_step)


def test_normalisation() -> None:
    picture = torch.tensor([255, 0, 51], dtype=torch.uint8)[:, None, None].expand(3, 4, 2)
    half = Normalisation((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    found = EvaluationTransform(4, 2, half)(picture)
    assert found[:, 0, 0].tolist() == pytest.approx([1, -1, -0.6])


def test_normalisation_is_inverted_exactly() -> None:
    every = torch.arange(256, dtype=torch.uint8).repeat(3, 1).reshape(3, 16, 16)
    both = torch.stack([IMAGENET(every), IMAGENET(every.flip(1))])
    assert torch.equal(IMAGENET.invert(both), torch.stack([every, every.flip(1)]))
    beyond = IMAGENET.invert(torch.tensor([-99.0, 99.0]).expand(3, 1, 2))
    assert torch.equal(beyond, torch.tensor([0, 255], dtype=torch.uint8).expand(3, 1, 2))


def test_the_generator_decides_everything() -> None:
    picture, other = some_picture(100, 40), some_picture(90, 60, seed=1)
    results = [EVERYTHING(picture, seeded(seed), lambda: other) for seed in (5, 5, 6)]
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])
    assert results[0].shape == (3, 256, 128)
    assert torch.equal(picture, some_picture(100, 40))  # not written on


def test_flip() -> None:
    picture = some_picture(256, 128)
    always = TrainTransform(flip=1, pad=0, erase=0)(picture, seeded(0))
    assert torch.equal(always, PLAIN(picture, seeded(0)).flip(2))


def test_half_are_flipped_and_half_erased() -> None:
    picture = some_picture(256, 128)
    still = PLAIN(picture, seeded(0))
    flips = TrainTransform(pad=0, erase=0)
    erasures = TrainTransform(flip=0, pad=0)
    flipped = sum(not torch.equal(flips(picture, seeded(s)), still) for s in range(60))
    erased = sum(not torch.equal(erasures(picture, seeded(s)), still) for s in range(60))
    assert 18 <= flipped <= 42  # p < 0.002 outside
    assert 18 <= erased <= 42


def test_shift() -> None:
    picture = some_picture(20, 12)
    places = set()
    for seed in range(200):
        found = augment.shifted(picture, 2, seeded(seed))
        padded = torch.nn.functional.pad(picture, (2, 2, 2, 2))
        places |= {
            (top, left)
            for top in range(5)
            for left in range(5)
            if torch.equal(found, padded[:, top : top + 20, left : left + 12])
        }
        assert found.shape == picture.shape
    assert len(places) == 25  # every offset occurs, the outermost ones too


def test_erasing() -> None:
    """The bounds of the box, and independent noise in every pixel and channel."""
    picture = torch.full((3, 256, 128), 9.0)
    shares, noise = [], []
    for seed in range(100):
        found = augment.erased(picture, seeded(seed))
        changed = found != 9.0
        assert torch.equal(changed[0], changed[1])
        ys, xs = torch.nonzero(changed[0], as_tuple=True)
        height, width = int(ys.max() - ys.min()) + 1, int(xs.max() - xs.min()) + 1
        assert int(changed[0].sum()) == height * width  # one whole box
        assert 0.28 <= height / width <= 3.6
        shares.append(height * width / (256 * 128))
        noise.append(found[changed])
    assert 0.019 <= min(shares) < 0.05
    assert 0.25 < max(shares) <= 0.335
    values = torch.cat(noise)
    assert abs(float(values.mean())) < 0.01
    assert abs(float(values.std()) - 1) < 0.01


def test_occlusion_is_a_box_of_the_other_picture() -> None:
    picture = torch.zeros((3, 64, 32), dtype=torch.uint8)
    other = torch.arange(64 * 32).reshape(64, 32).remainder(251).add(1).to(torch.uint8)
    found = augment.occluded(picture, other.expand(3, -1, -1), seeded(3))[0]
    ys, xs = torch.nonzero(found, as_tuple=True)
    box = found[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
    assert 0.08 <= box.numel() / found.numel() <= 0.42
    high, wide = box.shape
    windows = other.unfold(0, high, 1).unfold(1, wide, 1)
    assert bool((windows == box).all(dim=(2, 3)).any())


def test_a_tighter_box_keeps_the_middle() -> None:
    picture = some_picture(100, 40)
    sizes = [augment.tighter(picture, seeded(seed)).shape for seed in range(50)]
    assert len(set(sizes)) > 25
    assert min(height for _, height, _ in sizes) >= 70
    assert min(width for _, _, width in sizes) >= 28
    assert augment.tighter(some_picture(1, 1), seeded(0)).shape == (3, 1, 1)


def test_a_coarser_picture_has_less_detail() -> None:
    noise = torch.randint(256, (3, 64, 32), generator=seeded(0), dtype=torch.uint8)
    found = augment.coarser(noise, seeded(1))
    assert (found.shape, found.dtype) == (noise.shape, torch.uint8)
    assert float(found.float().std()) < 0.8 * float(noise.float().std())


def test_other_colours_stay_near() -> None:
    red = torch.zeros((3, 8, 4), dtype=torch.uint8)
    red[0] = 150
    found = [augment.recoloured(red, seeded(seed), 0.05)[:, 0, 0] for seed in range(30)]
    assert len({tuple(colour.tolist()) for colour in found}) > 20
    assert all(int(colour.argmax()) == 0 for colour in found)
    far = [augment.recoloured(red, seeded(seed), 0.5)[:, 0, 0] for seed in range(30)]
    assert {int(colour.argmax()) for colour in far} == {0, 1, 2}


def test_mixing_replaces_the_lower_part_or_blends() -> None:
    black = torch.zeros((3, 40, 8), dtype=torch.uint8)
    white = torch.full((3, 50, 30), 255, dtype=torch.uint8)
    halves, faint = set(), set()
    for seed in range(60):
        found = augment.mixed(black, white, seeded(seed))
        assert (found.shape, found.dtype) == (black.shape, torch.uint8)
        if found.unique().numel() == 2:
            top = int((found[0, :, 0] == 0).sum())
            assert not found[:, :top].any()
            assert (found[:, top:] == 255).all()
            halves.add(top)
        else:
            faint.add(int(found[0, 0, 0]))
    assert len(halves) > 10
    assert 10 <= min(halves) < max(halves) <= 30
    assert len(faint) > 10
    assert max(faint) <= 128


def test_occlusion_needs_another_picture() -> None:
    with pytest.raises(ValueError, match="second picture"):
        EVERYTHING(some_picture(8, 4), seeded(0))


@pytest.mark.parametrize(
    "picture",
    [
        torch.zeros((3, 0, 4), dtype=torch.uint8),
        torch.zeros((1, 4, 4), dtype=torch.uint8),
        torch.zeros((4, 4), dtype=torch.uint8),
        torch.zeros((3, 4, 4)),
    ],
)
def test_a_tensor_that_is_not_a_picture_is_refused(picture: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="uint8 RGB"):
        EvaluationTransform()(picture)
    with pytest.raises(ValueError, match="uint8 RGB"):
        TrainTransform()(picture, seeded(0))
