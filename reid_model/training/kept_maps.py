"""Maps of frozen early stages on disk: pictures go through those once, not once an epoch.

Nine tenths of the omni-scale network's work lie before its third stage. What is kept of several
changes of each picture trains the rest of it many times as fast.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from reid_model.data.composed_pictures import ComposedPictures, LabelledPictures
from reid_model.data.dataset import EvaluationPictures, TrainingPictures
from reid_model.data.labelled_picture import HEIGHT, WIDTH
from reid_model.data.reid_set import ReidImage
from reid_model.data.transforms import TrainTransform
from reid_model.networks.fused import Trunk
from reid_model.openvino_runtime import compile_network
from reid_model.training.batches import evaluation_transform, loader

#: Pictures as other cameras, careless detectors and crowds make them.
CHANGES = TrainTransform(
    pad=10, erase=0.25, tight=0.4, coarse=0.35, recolour=0.65, occlude=0.2, hue=0.05
)

#: Pictures that go through the early stages at once.
_BATCH = 16


class KeptMaps:
    """``versions`` maps ``shape`` (channels, height, width) of each of ``count`` pictures, float16.

    ``folder`` takes ``versions * count`` times their size: 98 kB each for 384 x 16 x 8.
    """

    def __init__(
        self, folder: Path, versions: int, count: int, shape: tuple[int, int, int]
    ) -> None:
        channels, height, width = shape
        folder.mkdir(parents=True, exist_ok=True)
        # Channels last, as convolutions want them.
        self._maps = [
            np.memmap(
                folder / f"maps-{version}.f16",
                np.float16,
                "r+" if (folder / f"maps-{version}.f16").exists() else "w+",
                shape=(count, height, width, channels),
            )
            for version in range(versions)
        ]

    def write(self, version: int, first: int, maps: NDArray[np.float32]) -> None:
        """Keep ``(B, C, H, W)`` as those of the pictures from ``first`` on."""
        self._maps[version][first : first + len(maps)] = maps.transpose(0, 2, 3, 1)

    def read(self, versions: Sequence[int], pictures: Sequence[int]) -> Tensor:
        """``(B, C, H, W)`` float32, one version of each picture, channels last in memory."""
        chosen = [
            self._maps[version][picture]
            for version, picture in zip(versions, pictures, strict=True)
        ]
        return torch.from_numpy(np.stack(chosen)).permute(0, 3, 1, 2).float()


#: Normalised pictures ``(B, 3, H, W)`` to the second stage's maps, all float32.
Early = Callable[[NDArray[np.float32]], NDArray[np.float32]]


class EarlyStages(nn.Module):
    """The part of a trunk that stays as it is."""

    def __init__(self, trunk: Trunk) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, x: Tensor) -> Tensor:
        """Normalised RGB ``(B, 3, H, W)`` to the second stage's map."""
        return self.trunk.early(x)


class ChangedPictures(Dataset[Tensor]):
    """One version of every picture, changed by chance, but always the same."""

    def __init__(
        self, images: Sequence[ReidImage], version: int, image_size: tuple[int, int]
    ) -> None:
        height, width = image_size
        self._pictures = TrainingPictures(images, replace(CHANGES, height=height, width=width))
        self._version = version

    def __getitem__(self, index: int) -> Tensor:
        return self._pictures[index, self._version * len(self._pictures) + index][0]


class CutOutPictures(Dataset[Tensor]):
    """Every picture ``(3, 256, 128)``, as of `ComposedPictures` where its mask is trusted, else as
    of `ChangedPictures`.

    ``rows`` has the row in ``pictures`` of those that are trusted, by index in ``images``.
    """

    def __init__(
        self,
        images: Sequence[ReidImage],
        rows: Mapping[int, int],
        pictures: LabelledPictures,
        version: int,
    ) -> None:
        self._changed = ChangedPictures(images, version, (HEIGHT, WIDTH))
        self._composed = ComposedPictures(list(rows.values()), pictures, (), version)
        self._places = {index: place for place, index in enumerate(rows)}

    def __getitem__(self, index: int) -> Tensor:
        place = self._places.get(index)
        return self._changed[index] if place is None else self._composed[place]


def keep_versions(
    folder: Path,
    trunk: Trunk,
    images: Sequence[ReidImage],
    versions: int,
    report: Callable[[int, int], None] = lambda done, count: None,
    more: Sequence[Dataset[Tensor]] = (),
) -> KeptMaps:
    """The maps of the pictures unchanged, version 0, and in ``versions - 1`` changes of `CHANGES`.

    ``more`` are further versions: normalised pictures ``(3, H, W)``, in the same order. Those that
    ``folder`` has are used again, also where a run was stopped. ``report`` as in `keep_maps`.
    """
    kept = KeptMaps(folder, versions + len(more), len(images), _shape(trunk))
    early: Early | None = None
    for version, pictures in enumerate(chain(_versions(trunk, images, versions), more)):
        done = folder / f"done-{version}"
        first = int(done.read_text()) if done.exists() else 0
        if first < len(images):
            early = early or early_stages(trunk)
            keep_maps(kept, version, early, pictures, len(images), _noting(done, report), first)
    return kept


def _noting(done: Path, report: Callable[[int, int], None]) -> Callable[[int, int], None]:
    """What also writes how many are done, so that a stopped run goes on there."""

    def note(count: int, whole: int) -> None:
        done.write_text(str(count))
        report(count, whole)

    return note


def _versions(trunk: Trunk, images: Sequence[ReidImage], count: int) -> Iterator[Dataset[Tensor]]:
    yield EvaluationPictures(images, evaluation_transform(trunk.encoder.image_size))
    for version in range(1, count):
        yield ChangedPictures(images, version, trunk.encoder.image_size)


def _shape(trunk: Trunk) -> tuple[int, int, int]:
    # Two pictures: norms of a single number are refused, and the gates of a narrow trunk have such.
    with torch.inference_mode():
        found = trunk.early(torch.zeros(2, 3, *trunk.encoder.image_size)).shape
    return found[1], found[2], found[3]


def early_stages(trunk: Trunk) -> Early:
    """The early stages by OpenVINO."""
    height, width = trunk.encoder.image_size
    compiled = compile_network(EarlyStages(trunk).eval(), height, width)
    return lambda pixels: compiled(pixels)[0]


def keep_maps(
    kept: KeptMaps,
    version: int,
    early: Early,
    pictures: Dataset[Tensor],
    count: int,
    report: Callable[[int, int], None] = lambda done, count: None,
    first: int = 0,
) -> None:
    """Keep what ``early`` makes of ``count`` normalised pictures ``(3, H, W)``.

    Those before ``first`` are kept already. ``report`` is called with the pictures done so far and
    their number.
    """
    batches = [
        list(range(start, min(start + _BATCH, count))) for start in range(first, count, _BATCH)
    ]
    for batch, pixels in zip(batches, loader(pictures, batches, workers=0), strict=True):
        kept.write(version, batch[0], early(pixels.numpy()))
        report(batch[-1] + 1, count)
