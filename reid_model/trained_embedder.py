"""An embedder from a model of `fusetrack reid train`."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from reid_model.data.transforms import IMAGENET
from reid_model.embedder import Embedder
from reid_model.kept_form import Form, keep
from reid_model.networks.fused import FusedEmbedder
from reid_model.openvino_runtime import convert_network, read_network
from reid_model.preprocess import EmbedderSpec, normalise
from reid_model.quantised import MIN_COSINE_INT8, int8_is_preferred, quantised_file
from reid_model.torch_embedder import torch_embedder
from reid_model.training.model_files import load_model
from reid_model.training.recipe import ModelRecipe


def sample_pictures(count: int, height: int, width: int) -> NDArray[np.uint8]:
    """``(count, height, width, 3)`` uint8 BGR, always the same: a person in clothes of two colours
    with a pattern, in front of a wall and a floor, with uneven light and camera noise.
    """
    random = np.random.default_rng(2025)
    return np.stack([_picture(random, height, width) for _ in range(count)])


def _picture(random: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    # Drawn in 256 x 128, so that every size has the same content.
    picture = np.empty((256, 128, 3), np.float32)
    horizon = int(random.integers(90, 200))
    picture[:horizon], picture[horizon:] = random.uniform(0, 255, (2, 3))
    middle = 64 + int(random.integers(-10, 11))
    skin, shirt, trousers = (tuple(map(float, colour)) for colour in random.uniform(0, 255, (3, 3)))
    cv2.rectangle(picture, (middle - 30, 55), (middle + 30, 145), shirt, -1)
    cv2.rectangle(picture, (middle - 24, 145), (middle - 3, 245), trousers, -1)
    cv2.rectangle(picture, (middle + 3, 145), (middle + 24, 245), trousers, -1)
    cv2.circle(picture, (middle, 35), 18, skin, -1)
    stripes = np.sin(np.arange(256) / random.uniform(1, 12))[:, None, None]
    left, right = (float(value) for value in random.uniform(0.4, 1.2, 2))
    light = np.linspace(left, right, 128)[None, :, None]
    coarse = cv2.resize(random.normal(0, 15, (16, 8, 3)), (128, 256))
    picture = (picture + 20 * stripes) * light + coarse + random.normal(0, 6, picture.shape)
    resized = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(np.clip(resized, 0, 255), np.uint8)


#: Two forms of a network are equivalent if their vectors have at least this cosine.
MIN_COSINE = 0.999
#: The same for bfloat16: an omni-scale network has 0.9990 to 0.9998, with the same rank 1 / mAP
#: (CUHK03: 0.827 / 0.803, in float32 0.825 / 0.804).
MIN_COSINE_BFLOAT16 = 0.998

_SAMPLES = 8
_LOG = logging.getLogger(__name__)


def open_trained(path: Path, device: str, batch: int = 8, forms: Path | None = None) -> Embedder:
    """The model of a file as an embedder: on the CPU through OpenVINO, on ``cuda:N`` through
    PyTorch, as `on_gpu` says.

    OpenVINO computes in bfloat16 where the processor supports it, if the vectors of sample pictures
    keep a cosine of `MIN_COSINE_BFLOAT16`; otherwise in float32, with a warning. A processor
    without bfloat16 computes in int8 if the model has an int8 form beside it. What was found good
    enough is kept in the folder ``forms``, for `open_kept`. Raises ValueError as `load_model`, for
    NaN weights, and when float32 does not reach `MIN_COSINE` either.
    """
    network, recipe = load_model(path)
    spec = trained_spec(recipe)
    pictures = sample_pictures(_SAMPLES, spec.height, spec.width)
    expected = torch_vectors(network, spec, pictures)

    def agreement(embedder: Embedder) -> float:
        return min_cosine(embedder.embed(list(pictures)), expected)

    if device != "cpu":
        return on_gpu(
            lambda half: torch_embedder(network, spec, device, batch, half), path, agreement
        )
    form = Form(spec, None)
    found = in_int8(path, form, batch, agreement, forms)
    return found or as_exact(network, path, form, batch, agreement, forms)


def on_gpu(
    opened: Callable[[bool], Embedder], path: Path, agreement: Callable[[Embedder], float]
) -> Embedder:
    """The network from the file ``path``, ``opened`` in half precision (True) or float32.

    In float16 if ``agreement`` with PyTorch's vectors in float32, a cosine, is at least
    `MIN_COSINE`; otherwise in float32, with a warning.
    """
    embedder = opened(True)
    cosine = agreement(embedder)
    if cosine >= MIN_COSINE:
        return embedder
    _LOG.warning("%s: float16 is too coarse (cosine %.4f), using float32", path, cosine)
    return opened(False)


def in_int8(
    path: Path,
    fastest: Form,
    batch: int,
    agreement: Callable[[Embedder], float],
    forms: Path | None,
) -> Embedder | None:
    """The int8 form beside ``path``; None where it is missing, not preferred, or of another.

    The parameters are those of `as_exact`.
    """
    int8, form = quantised_file(path), replace(fastest, precision="f32")
    if not int8.is_file() or not int8_is_preferred():
        return None
    network = read_network(int8)
    embedder = form.open(network.clone(), str(int8), batch)
    cosine = agreement(embedder)
    if cosine < MIN_COSINE_INT8:
        _LOG.warning(
            "%s is not the int8 form of %s (cosine %.4f), so it is not used", int8, path, cosine
        )
        return None
    return (forms and keep(path, network, form, batch, forms)) or embedder


def as_exact(
    network: nn.Module,
    path: Path,
    fastest: Form,
    batch: int,
    agreement: Callable[[Embedder], float],
    forms: Path | None = None,
) -> Embedder:
    """``network``, from the file ``path``, through OpenVINO, used as ``fastest`` says.

    In bfloat16 where the processor supports it, if ``agreement`` of the embedder with PyTorch's
    vectors, a cosine, is at least `MIN_COSINE_BFLOAT16`; otherwise in float32, with a warning.
    What is found good enough is kept in the folder ``forms``. Raises ValueError when float32 does
    not reach `MIN_COSINE` either.
    """
    tries = (fastest, MIN_COSINE_BFLOAT16), (replace(fastest, precision="f32"), MIN_COSINE)
    converted = convert_network(network, fastest.spec.height, fastest.spec.width)
    for form, minimum in tries:
        embedder = form.open(converted.clone(), str(path), batch)
        cosine = agreement(embedder)
        if cosine >= minimum:
            return (forms and keep(path, converted, form, batch, forms)) or embedder
        if form is fastest:
            _LOG.warning("%s: bfloat16 is too coarse (cosine %.4f), using float32", path, cosine)
    raise ValueError(f"{path}: OpenVINO's vectors differ from PyTorch's (cosine {cosine:.4f})")


def trained_spec(recipe: ModelRecipe) -> EmbedderSpec:
    """The input of a trained model."""
    height, width = recipe.image_size
    return EmbedderSpec(height, width, "rgb", 1 / 255, IMAGENET.mean, IMAGENET.std)


def torch_vectors(
    network: FusedEmbedder, spec: EmbedderSpec, pictures: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """The reference: PyTorch's unit vectors ``(N, D)`` of ``(N, height, width, 3)``, in float32."""
    with torch.inference_mode():
        vectors: NDArray[np.float32] = network(torch.from_numpy(normalise(pictures, spec))).numpy()
    return vectors


def min_cosine(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """The smallest cosine of two sets of unit vectors ``(N, D)``, row by row; NaN gives -1."""
    return float(np.nan_to_num((found * expected).sum(axis=1), nan=-1.0).min())
