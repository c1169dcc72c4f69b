"""FusionSegReID as an embedder, from a model of `fusetrack reid train`'s fusion recipe."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reid_model.embedder import Descriptions, Embedder
from reid_model.fusion_embedder import FusionEmbedder
from reid_model.kept_form import Form
from reid_model.networks.fusion import FusionModel
from reid_model.preprocess import EmbedderSpec, normalise
from reid_model.torch_embedder import torch_embedder
from reid_model.trained_embedder import (
    as_exact,
    in_int8,
    min_cosine,
    on_gpu,
    sample_pictures,
    trained_spec,
)
from reid_model.training.fusion_files import load_fusion

_SAMPLES = 8


class InOneRow(nn.Module):
    """All outputs of a model one after another."""

    def __init__(self, model: FusionModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        """Normalised RGB ``(B, 3, H, W)`` to ``(B, D + T + P)``."""
        return torch.cat(self.model(x), dim=1)


def open_fusion(
    path: Path, device: str, batch: int = 8, forms: Path | None = None
) -> FusionEmbedder:
    """The image side of a file of `save_fusion`: on the CPU through OpenVINO, else by PyTorch
    as `on_gpu` says.

    OpenVINO computes in the precision that `as_exact` finds good enough for both kinds of vectors;
    ``forms`` is as of that. Raises ValueError as `load_fusion` and `as_exact`.
    """
    file = load_fusion(path)
    spec, network = trained_spec(file.recipe), InOneRow(file.model)
    pictures = sample_pictures(_SAMPLES, spec.height, spec.width)
    expected, widths = _reference(file.model, spec, pictures)

    def agreement(embedder: Embedder) -> float:
        return _agreement(embedder.describe(list(pictures)), expected)

    def opened(half: bool) -> FusionEmbedder:
        return FusionEmbedder(torch_embedder(network, spec, device, batch, half), widths)

    if device != "cpu":
        found: Embedder | None = on_gpu(opened, path, agreement)
    else:
        form = Form(spec, None, widths)
        found = in_int8(path, form, batch, agreement, forms)
        found = found or as_exact(network, path, form, batch, agreement, forms)
    assert isinstance(found, FusionEmbedder)
    return found


def _reference(
    model: FusionModel, spec: EmbedderSpec, pictures: NDArray[np.uint8]
) -> tuple[list[NDArray[np.float32]], tuple[int, int, int]]:
    """What PyTorch says of pictures in float32, and how many numbers each output has."""
    with torch.inference_mode():
        found = [one.numpy() for one in model(torch.from_numpy(normalise(pictures, spec)))]
    return found, (found[0].shape[1], found[1].shape[1], found[2].shape[1])


def _agreement(found: Descriptions, expected: list[NDArray[np.float32]]) -> float:
    """The smallest cosine of either kind of vector."""
    of_people = min_cosine(found.vectors, expected[0])
    if found.text_vectors is None:
        return of_people
    return min(of_people, min_cosine(found.text_vectors, expected[1]))
