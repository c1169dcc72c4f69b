"""How well a trained model finds people again."""

from collections.abc import Callable, Sequence

import numpy as np
from torch import nn

from reid_model.data.reid_set import ReidImage, ReidSet
from reid_model.evaluation import Ranking, evaluate
from reid_model.similarity import SimilarityFit, fit_similarity
from reid_model.training.extract import extract


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
