"""The ReID metrics of a trained model."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reid_model.data.dataset import EvaluationPictures
from reid_model.data.reid_set import ReidImage, ReidSet
from reid_model.evaluation import Ranking, evaluate
from reid_model.similarity import SimilarityFit, fit_similarity
from reid_model.training.batches import evaluation_transform, loader
from reid_model.training.optimiser import autocast, to_device
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
    report: Callable[[int, int], None] = lambda done, count: None,
) -> Tensor:
    """``(N, D)`` float32 on the CPU: ``network`` of ``(B, 3, H, W)``, in the order of ``images``.

    The network must be in eval mode. ``report`` is called with the number of finished pictures and
    of all pictures. Raises ValueError when a file is not a picture, and without images.
    """
    if not images:
        raise ValueError("there are no pictures to embed")
    pictures = EvaluationPictures(images, evaluation_transform(image_size))
    batches = [
        list(range(start, min(start + _BATCH, len(images))))
        for start in range(0, len(images), _BATCH)
    ]
    found = []
    for batch, pixels in zip(batches, loader(pictures, batches, workers), strict=True):
        with torch.no_grad(), autocast(device, precision):
            found.append(network(to_device(pixels, device)).float().cpu())
        report(batch[-1] + 1, len(images))
    return torch.cat(found)


def measure(
    embedder: nn.Module,
    reid_set: ReidSet,
    image_size: tuple[int, int],
    *,
    device: str = "cpu",
    workers: int = 0,
    report: Callable[[int, int], None] = lambda done, count: None,
) -> tuple[dict[str, float], SimilarityFit | None]:
    """The metrics of a network in eval mode, in float32, and its score calibration on the set;
    nothing for a set without queries.

    Raises ValueError as `evaluate`.
    """
    if not reid_set.query or not reid_set.gallery:
        return {}, None
    images = reid_set.query + reid_set.gallery
    vectors = extract(
        embedder, images, image_size, device=device, workers=workers, report=report
    ).numpy()
    return metrics_of(ranking_of(reid_set, vectors)), fit_similarity(vectors, images)


def ranking_of(reid_set: ReidSet, vectors: NDArray[np.float32]) -> Ranking:
    """The evaluation of vectors ``(N, D)``: those of the queries, then those of the gallery.

    Raises ValueError as `evaluate`.
    """
    count = len(reid_set.query)
    identities, cameras = identities_and_cameras(reid_set.query + reid_set.gallery)
    return evaluate(
        vectors[:count],
        identities[:count],
        cameras[:count],
        vectors[count:],
        identities[count:],
        cameras[count:],
    )


def identities_and_cameras(images: Sequence[ReidImage]) -> tuple[np.ndarray, np.ndarray]:
    """The identity and the camera of each picture: ``(N,)`` int64 each."""
    identities = np.array([image.identity for image in images], np.int64)
    return identities, np.array([image.camera for image in images], np.int64)


def metrics_of(ranking: Ranking) -> dict[str, float]:
    """The reported metrics of a ranking, rounded to four places."""
    return {
        "rank1": round(float(ranking.cmc[0]), 4),
        "rank5": round(float(ranking.cmc[4]), 4),
        "rank10": round(float(ranking.cmc[9]), 4),
        "mean_average_precision": round(ranking.mean_average_precision, 4),
        "queries": ranking.queries,
    }
