"""Maps of frozen early stages on disk: pictures go through those once, not once an epoch.

Nine tenths of the omni-scale network's work lie before its third stage. What is kept of several
changes of each picture trains the rest of it many times as fast.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from reid_model.networks.fused import Trunk
from reid_model.openvino_runtime import convert_network, core
from reid_model.training.batches import loader

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


class EarlyStages(nn.Module):
    """The part of a trunk that stays as it is."""

    def __init__(self, trunk: Trunk) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, x: Tensor) -> Tensor:
        """Normalised RGB ``(B, 3, H, W)`` to the second stage's map."""
        return self.trunk.early(x)


def keep_maps(
    kept: KeptMaps,
    version: int,
    trunk: Trunk,
    pictures: Dataset[Tensor],
    count: int,
    tell: Callable[[int, int], None] = lambda done, count: None,
) -> None:
    """Send ``count`` normalised pictures ``(3, H, W)`` through the early stages, by OpenVINO.

    ``tell`` is called with the pictures done so far and their number.
    """
    height, width = trunk.encoder.image_size
    compiled = core().compile_model(
        convert_network(EarlyStages(trunk).eval(), height, width),
        "CPU",
        {"PERFORMANCE_HINT": "LATENCY"},
    )
    batches = [list(range(start, min(start + _BATCH, count))) for start in range(0, count, _BATCH)]
    for batch, pixels in zip(batches, loader(pictures, batches, workers=0), strict=True):
        kept.write(version, batch[0], compiled(pixels.numpy())[0])
        tell(batch[-1] + 1, count)
