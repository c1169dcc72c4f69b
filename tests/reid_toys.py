"""A data set of coloured people and a recipe for them, small enough to be trained in a test."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from reid_model.data.transforms import EvaluationTransform
from reid_model.networks.clip_transformer import ClipText
from reid_model.networks.fused import FusedEmbedder
from reid_model.openvino_runtime import import_openvino
from reid_model.training.build import build_encoder, new_model
from reid_model.training.recipe import ModelRecipe, Recipe, Stage1Recipe, Stage2Recipe

#: Shirt and trousers of each identity, BGR.
_CLOTHES = (
    ((200, 40, 40), (30, 30, 30)),
    ((40, 200, 40), (200, 200, 200)),
    ((40, 40, 200), (30, 30, 30)),
    ((200, 200, 40), (60, 120, 60)),
    ((40, 200, 200), (120, 60, 60)),
    ((200, 40, 200), (200, 200, 200)),
)


def write_toy_set(root: Path) -> Path:
    """The folder layout: 6 identities x 4 pictures to train on, and 2 each to find, in 64 x 32."""
    random = np.random.default_rng(7)
    for split, cameras in (("train", "abab"), ("query", "a"), ("gallery", "bb")):
        for identity, clothes in enumerate(_CLOTHES):
            folder = root / split / f"p{identity}"
            folder.mkdir(parents=True)
            for number, camera in enumerate(cameras):
                cv2.imwrite(str(folder / f"{camera}_{number}.png"), _picture(clothes, random))
    return root


def toy_pictures() -> list[np.ndarray]:
    """A crop of each identity, BGR ``(64, 32, 3)`` uint8."""
    random = np.random.default_rng(8)
    return [_picture(clothes, random) for clothes in _CLOTHES]


def toy_batch(recipe: ModelRecipe) -> torch.Tensor:
    """`toy_pictures` as the recipe's network sees them in an evaluation."""
    transform = EvaluationTransform(*recipe.image_size)
    pictures = [torch.from_numpy(crop[:, :, ::-1].copy()) for crop in toy_pictures()]
    return torch.stack([transform(picture.permute(2, 0, 1)) for picture in pictures])


def toy_embedder(recipe: ModelRecipe) -> FusedEmbedder:
    """A network with random weights, in which every part takes part, that has seen pictures: with
    ``embedding="after"`` it tells them apart."""
    torch.manual_seed(3)
    network = new_model(recipe, 6, build_encoder(recipe)).deploy()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            module.momentum = None  # the statistics are those of all that was seen
    with torch.no_grad():
        network.train()(toy_batch(recipe))
    return network.eval()


def _picture(clothes: tuple[tuple[int, ...], ...], random: np.random.Generator) -> np.ndarray:
    image = np.full((64, 32, 3), 128, np.int64)
    top = 12 + int(random.integers(0, 6))
    image[top:38, 6:26], image[38:62, 8:24] = clothes
    return np.clip(image + random.integers(-25, 26, image.shape), 0, 255).astype(np.uint8)


def toy_text_encoder(output_dim: int = 16) -> ClipText:
    """A text encoder of one narrow layer."""
    return ClipText(output_dim=output_dim, width=16, layers=1, heads=2)


def toy_model(**changes: object) -> ModelRecipe:
    """The smallest network that has all parts."""
    small: dict[str, object] = {
        "width": 4,
        "layers": (1, 1, 1, 1),
        "output_dim": 16,
        "image_size": (64, 32),
        "mscsa_modules": 2,
    }
    return ModelRecipe(**{**small, **changes})  # type: ignore[arg-type]


def toy_recipe(
    model: ModelRecipe | None = None,
    stage1: Stage1Recipe | None = None,
    stage2: Stage2Recipe | None = None,
    **changes: object,
) -> Recipe:
    """Two epochs of each stage on batches of 3 x 2 pictures, in float32."""
    return Recipe(
        model=model or toy_model(),
        stage1=stage1 or Stage1Recipe(epochs=2, batch=10, warm_up_epochs=1),
        stage2=stage2 or Stage2Recipe(epochs=2, identities=3, images=2, warm_up_epochs=1),
        **{"precision": "float32", **changes},  # type: ignore[arg-type]
    )


def write_mean_network(path: Path) -> Path:
    """An OpenVINO network for pictures of 2 x 2: the mean of each channel, which is the colour."""
    openvino = import_openvino()
    pixels = openvino.opset13.parameter([1, 3, 2, 2], np.float32)
    mean = openvino.opset13.reduce_mean(pixels, np.array([2, 3]), keep_dims=False)
    openvino.save_model(openvino.Model([mean], [pixels]), path)
    return path


def assert_close(a: torch.Tensor, b: torch.Tensor) -> None:
    """``a`` is ``b`` but for rounding, and ``b`` is not nothing."""
    assert b.abs().mean() > 1e-3, "nothing to compare"
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5 * float(b.abs().max()))


def at_once(
    forward: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
) -> Callable[[NDArray[np.uint8]], Callable[[], NDArray[np.float32]]]:
    """A network of an `Embedder` that has computed before anybody waits for it."""

    def start(pictures: NDArray[np.uint8]) -> Callable[[], NDArray[np.float32]]:
        vectors = forward(pictures)
        return lambda: vectors

    return start
