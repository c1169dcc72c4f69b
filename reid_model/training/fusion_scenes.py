"""Composed pictures for FusionSegReID: their early maps kept on disk, their masks in memory."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reid_model.atomic_file import replacing
from reid_model.data.composed_pictures import LabelledPictures, Shares, composed
from reid_model.data.labelled_picture import Image, LabelledPicture
from reid_model.data.transforms import IMAGENET
from reid_model.networks.body_parts import PARTS
from reid_model.networks.fused import Trunk
from reid_model.openvino_runtime import compile_network
from reid_model.training.fusion_training import Scenes
from reid_model.training.kept_maps import KeptMaps

#: Three in four with a person or a thing before the person.
HIDDEN = Shares(other_background=0.4, behind=0.75, filmed=0.4)

_BATCH = 8
_CELL = 16  # pixels of a picture to a place of the last map


class FirstStages(nn.Module):
    """The part of a trunk that stays as it is, with the maps of its first two stages."""

    def __init__(self, trunk: Trunk) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised RGB ``(B, 3, H, W)`` to both maps."""
        return self.trunk.early_maps(x)


def keep_scenes(
    folder: Path,
    trunk: Trunk,
    pictures: LabelledPictures,
    rows: Sequence[int],
    indices: NDArray[np.int64],
    seed: int,
    shares: Shares = HIDDEN,
    plates: Sequence[Image] = (),
    tell: Callable[[int, int], None] = lambda done, count: None,
) -> Scenes:
    """Compose a picture of each of ``rows``, and keep its maps in ``folder``; those that it has
    already are used again.

    ``indices`` ``(S,)`` are what the scenes call the training pictures of the rows. The same seed
    gives the same scenes. Raises ValueError when a file is not a picture.
    """
    first, second, run = _kept(folder, trunk, len(rows))
    labels = folder / "labels.npz"
    if labels.is_file():
        with np.load(labels) as kept:
            return Scenes(first, second, indices, kept["masks"], kept["parts"])
    masks, parts = [], []
    for start in range(0, len(rows), _BATCH):
        batch = range(start, min(start + _BATCH, len(rows)))
        found = [_scene(pictures, rows[one], plates, shares, [seed, one]) for one in batch]
        x1, x2 = run(torch.stack([_pixels(one) for one in found]).numpy())
        first.write(0, start, x1)
        second.write(0, start, x2)
        masks += [one.mask[::2, ::2] for one in found]
        parts += [part_of_cells(one.parts) for one in found]
        tell(batch[-1] + 1, len(rows))
    with replacing(labels) as partial, partial.open("wb") as file:
        np.savez(file, masks=np.stack(masks), parts=np.stack(parts))
    return Scenes(first, second, indices, np.stack(masks), np.stack(parts))


def part_of_cells(parts: NDArray[np.int8]) -> NDArray[np.int8]:
    """The part of each place of the last map, ``(16, 8)``: most of its pixels of ``(256, 128)``.

    -1 where at least half of them are not known.
    """
    height, width = parts.shape[0] // _CELL, parts.shape[1] // _CELL
    cells = parts.reshape(height, _CELL, width, _CELL)
    shares = np.stack([(cells == one).mean(axis=(1, 3)) for one in range(1 + len(PARTS))])
    return np.where(shares.sum(axis=0) > 0.5, shares.argmax(axis=0), -1).astype(np.int8)


def _scene(
    pictures: LabelledPictures,
    row: int,
    plates: Sequence[Image],
    shares: Shares,
    seed: list[int],
) -> LabelledPicture:
    return composed(pictures[row], pictures, plates, shares, np.random.default_rng(seed))


def _pixels(picture: LabelledPicture) -> Tensor:
    rgb = torch.from_numpy(picture.image[..., ::-1].copy()).permute(2, 0, 1)
    return IMAGENET(rgb)


def _kept(
    folder: Path, trunk: Trunk, count: int
) -> tuple[KeptMaps, KeptMaps, Callable[[NDArray[np.float32]], Sequence[NDArray[np.float32]]]]:
    """Where both maps of ``count`` pictures are kept, and what makes them."""
    height, width = trunk.encoder.image_size
    compiled = compile_network(FirstStages(trunk).eval(), height, width)

    def run(pixels: NDArray[np.float32]) -> Sequence[NDArray[np.float32]]:
        found = compiled(pixels)
        return [found[0], found[1]]

    x1, x2 = run(np.zeros((2, 3, height, width), np.float32))
    kept = [
        KeptMaps(folder / name, 1, count, one.shape[1:])
        for name, one in (("first", x1), ("second", x2))
    ]
    return kept[0], kept[1], run
