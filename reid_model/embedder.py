"""From crops of people to unit vectors that can be compared by their dot product."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_model.openvino_runtime import core, import_openvino, read_network
from reid_model.preprocess import EmbedderSpec, crops_to_batch

__all__ = ["Embedder", "EmbedderSpec", "load_embedder"]

#: A normalised batch (N, 3, H, W) to raw vectors (N, D).
_Forward = Callable[[NDArray[np.float32]], NDArray[np.float32]]

_TINY = 1e-12


class Embedder:
    """A network, its preprocessing and its batch size. Not to be shared between threads.

    ``dimension`` is D. ``device`` is where it runs: ``cpu`` or ``cuda:N``.
    """

    def __init__(self, forward: _Forward, spec: EmbedderSpec, device: str, batch: int) -> None:
        if batch < 1:
            raise ValueError(f"batch must be at least 1, got {batch}")
        self._forward = forward
        self._spec = spec
        self._batch = batch
        self.device = device
        black = np.zeros((1, 3, spec.height, spec.width), np.float32)
        self.dimension: int = forward(black).shape[1]

    def embed(self, crops: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """The unit vectors of BGR crops ``(h, w, 3)`` of any size: ``(N, D)``, in their order.

        Raises ValueError for a crop that is not uint8 BGR or has no pixels.
        """
        vectors = np.zeros((len(crops), self.dimension), np.float32)
        for start in range(0, len(crops), self._batch):
            part = crops[start : start + self._batch]
            vectors[start : start + len(part)] = self._forward(crops_to_batch(part, self._spec))
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.maximum(lengths, _TINY), np.float32)


def load_embedder(path: Path, spec: EmbedderSpec, device: str, batch: int = 32) -> Embedder:
    """Open a ReID network.

    On the CPU every network runs through OpenVINO; on ``cuda:N`` the deep-sort network runs
    through PyTorch, while OpenVINO and ONNX files run on the CPU all the same.

    Raises ValueError when the file is missing, cannot be read, or does not fit ``spec``.
    """
    if not path.is_file():
        raise ValueError(f"{path} does not exist")
    if spec.architecture == "deep_sort" and device != "cpu":
        return Embedder(_torch_forward(path, device), spec, device, batch)
    network = _converted(path, spec) if spec.architecture == "deep_sort" else read_network(path)
    return Embedder(_openvino_forward(network, path, spec), spec, "cpu", batch)


def _torch_forward(path: Path, device: str) -> _Forward:
    import torch

    from reid_model.deep_sort_net import load_deep_sort

    net = load_deep_sort(path).to(device)

    def forward(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            vectors: NDArray[np.float32] = net(torch.from_numpy(batch).to(device)).cpu().numpy()
        return vectors

    return forward


def _converted(path: Path, spec: EmbedderSpec) -> Any:
    """The deep-sort network as an OpenVINO model in memory."""
    import torch

    from reid_model.deep_sort_net import load_deep_sort

    example = torch.zeros(2, 3, spec.height, spec.width)
    with warnings.catch_warnings():
        # The converter traces with a function that PyTorch has deprecated.
        warnings.simplefilter("ignore")
        return import_openvino().convert_model(load_deep_sort(path), example_input=example)


def _openvino_forward(network: Any, path: Path, spec: EmbedderSpec) -> _Forward:
    shape = [-1, 3, spec.height, spec.width]
    try:
        network.reshape(shape)
        compiled = core().compile_model(network, "CPU", {"PERFORMANCE_HINT": "LATENCY"})
    except RuntimeError as error:
        raise ValueError(f"{path} does not take pictures of {spec.height}x{spec.width}") from error

    def forward(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        vectors: NDArray[np.float32] = compiled(batch)[0]
        return vectors.reshape(len(batch), -1)

    return forward
