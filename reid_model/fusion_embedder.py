"""FusionSegReID as an embedder: the ReID vector, the vector shared with words, the body parts."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reid_model.embedder import Descriptions, Embedder, torch_embedder, unit_rows
from reid_model.networks.fusion import FusionModel
from reid_model.preprocess import EmbedderSpec, normalise
from reid_model.trained_embedder import (
    as_exact,
    min_cosine,
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


class FusionEmbedder(Embedder):
    """An ``inner`` embedder whose outputs are vectors of ``widths``: for ReID, shared with words,
    and visibilities. A width of 0 is a part that the model has switched off.
    """

    def __init__(self, inner: Embedder, widths: tuple[int, int, int]) -> None:
        self._inner = inner
        self._ends = (widths[0], widths[0] + widths[1])
        self.dimension = widths[0]
        self.batch = inner.batch
        self.device = inner.device

    def embed(self, crops: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """The ReID vectors of `describe`. Raises ValueError as that."""
        return self.describe(crops).vectors

    @property
    def has_words(self) -> bool:
        """Whether `describe` gives text vectors."""
        return self._ends[1] > self._ends[0]

    def describe(self, crops: list[NDArray[np.uint8]]) -> Descriptions:
        """All that the network says about crops. Raises ValueError as `Embedder.embed`."""
        vectors, texts, seen = np.split(self._inner.outputs(crops), self._ends, axis=1)
        return Descriptions(
            unit_rows(vectors),
            unit_rows(texts) if texts.shape[1] else None,
            np.clip(seen, 0.0, 1.0) if seen.shape[1] else None,
        )


def open_fusion(path: Path, device: str, batch: int = 32) -> FusionEmbedder:
    """The image side of a file of `save_fusion`: on the CPU through OpenVINO, else by PyTorch.

    OpenVINO computes in the precision that `as_exact` finds good enough for both kinds of vectors.
    Raises ValueError as `load_fusion` and `as_exact`.
    """
    file = load_fusion(path)
    spec, network = trained_spec(file.recipe), InOneRow(file.model)
    pictures = sample_pictures(_SAMPLES, spec.height, spec.width)
    expected, widths = _reference(file.model, spec, pictures)
    if device != "cpu":
        return FusionEmbedder(torch_embedder(network, spec, device, batch), widths)

    def agreement(inner: Embedder) -> float:
        return _agreement(FusionEmbedder(inner, widths).describe(list(pictures)), expected)

    return FusionEmbedder(as_exact(network, path, spec, batch, agreement), widths)


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
