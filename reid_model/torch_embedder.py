"""An embedder from a network of PyTorch, on the CPU or a GPU."""

import logging
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reid_model.embedder import Embedder, memory_errors
from reid_model.preprocess import EmbedderSpec, gain_and_shift
from reid_model.torch_device import to_device, to_host

_LOG = logging.getLogger(__name__)


def torch_embedder(
    network: nn.Module, spec: EmbedderSpec, device: str, batch: int, half: bool = False
) -> Embedder:
    """A PyTorch network in eval mode, moved to ``device``.

    With ``half`` it computes in float16 until a result is not finite: then this batch and all that
    follow are computed in float32, with a warning.
    """
    return Embedder(_TorchNetwork(network, spec, device, half).start, spec, device, batch)


class _TorchNetwork:
    """A network on a device, which normalises its pictures too."""

    def __init__(self, network: nn.Module, spec: EmbedderSpec, device: str, half: bool) -> None:
        self._network = network.to(device).to(memory_format=torch.channels_last)
        gain, shift = (torch.from_numpy(one).to(device) for one in gain_and_shift(spec))
        self._gain, self._shift = gain.view(3, 1, 1), shift.view(3, 1, 1)
        self._flips = spec.colour == "rgb"
        self._device = device
        self._half = half

    def start(self, pictures: NDArray[np.uint8]) -> Callable[[], NDArray[np.float32]]:
        """Begin to compute BGR pictures ``(N, H, W, 3)``; what is returned waits for them."""
        in_half = self._half
        copied = self._begin(pictures)

        def wait() -> NDArray[np.float32]:
            vectors = copied()
            if in_half and not np.isfinite(vectors).all():
                self._leave_half()
                return self._begin(pictures)()
            return vectors

        return wait

    def _begin(self, pictures: NDArray[np.uint8]) -> Callable[[], NDArray[np.float32]]:
        kind = torch.device(self._device).type
        with torch.inference_mode(), memory_errors():
            pixels = self._normalised(to_device(pictures, self._device))
            # Weights and normalisations stay in float32; convolutions and products are in float16.
            with torch.autocast(kind, torch.float16, enabled=self._half):
                vectors = self._network(pixels)
            return to_host(vectors)

    def _normalised(self, pictures: Tensor) -> Tensor:
        """The input of the network, channels last, as of `reid_model.preprocess.normalise`."""
        pixels = pictures.permute(0, 3, 1, 2)
        pixels = pixels.flip(1) if self._flips else pixels
        return pixels * self._gain - self._shift

    def _leave_half(self) -> None:
        if self._half:
            _LOG.warning("the network's vectors are not finite in float16, using float32")
        self._half = False
