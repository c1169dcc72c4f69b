"""How well a trained model finds people again."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from reid_model.data.dataset import EvaluationPictures
from reid_model.data.reid_set import ReidImage, ReidSet
from reid_model.evaluation import Ranking, evaluate
from reid_model.similarity import SimilarityFit, fit_similarity
from reid_model.training.batches import evaluation_transform, loader
from reid_model.training.optimiser import autocast, placed
from reid_model.training.recipe import TrainingPrecision

_BATCH = 64


def extract(
    network: Callable[[Tensor], Tensor],
    images: Sequence[ReidImage],
    image_size: tuple[int, int],
    *,
    device: str = "cpu",
    precision: TrainingPrecision = "float32",
    workers: int = 0,
    tell: Callable[[int, int], None] = lambda done, count: None,
) -> Tensor:
    """``(N, D)`` float32 on the CPU: ``network`` of ``(B, 3, H, W)``, in the order of ``images``.

    The caller has put the network in eval mode. ``tell`` is called with the pictures done so far
    and their number. Raises ValueError when a file is no picture, and for no images at all.
    """
    if not images:
        raise ValueError("there are no pictures to look at")
    pictures = EvaluationPictures(images, evaluation_transform(image_size))
    batches = [
        list(range(start, min(start + _BATCH, len(images))))
        for start in range(0, len(images), _BATCH)
    ]
    found = []
    for batch, pixels in zip(batches, loader(pictures, batches, workers), strict=True):
        with torch.no_grad(), autocast(device, precision):
            found.append(network(placed(pixels, device)).float().cpu())
        tell(batch[-1] + 1, len(images))
    return torch.cat(found)


def measure(
    embedder: nn.Module,
    reid_set: ReidSet,
    image_size: tuple[int, int],
    *,
    device: str = "cpu",
    workers: int = 0,
    tell: Callable[[int, int], None] = lambda done, count: None,
) -> tuple[dict[str, float], SimilarityFit | None]:
    """The figures of a network in eval mode, in float32, and what its cosines are worth there;
    nothing for a set without queries.

    Raises ValueError as `evaluate`.
    """
    if not reid_set.query or not reid_set.gallery:
        return {}, None
    images = reid_set.query + reid_set.gallery
    vectors = extract(
        embedder, images, image_size, device=device, workers=workers, tell=tell
    ).numpy()
    count = len(reid_set.query)
    identities, cameras = people_of(images)
    ranking = evaluate(
        vectors[:count],
        identities[:count],
        cameras[:count],
        vectors[count:],
        identities[count:],
        cameras[count:],
    )
    return figures(ranking), fit_similarity(vectors, images)


def people_of(images: Sequence[ReidImage]) -> tuple[np.ndarray, np.ndarray]:
    """Who is in each picture, and which camera took it: ``(N,)`` int64 each."""
    identities = np.array([image.identity for image in images], np.int64)
    return identities, np.array([image.camera for image in images], np.int64)


def figures(ranking: Ranking) -> dict[str, float]:
    """What is reported of a ranking, rounded to four places."""
    return {
        "rank1": round(float(ranking.cmc[0]), 4),
        "rank5": round(float(ranking.cmc[4]), 4),
        "rank10": round(float(ranking.cmc[9]), 4),
        "mean_average_precision": round(ranking.mean_average_precision, 4),
        "queries": ranking.queries,
    }
