"""Networks that count how much they are given at once."""

import numpy as np
from numpy.typing import NDArray

from pipeline.monitoring.watch import Watch
from pipeline.node.perception import Detects, Embeds
from trackers.detections import Detections


class CountedDetector:
    """A detector as it was, whose batches ``watch`` knows."""

    def __init__(self, detector: Detects, watch: Watch) -> None:
        self._detector = detector
        self._watch = watch

    def detect(self, images: list[NDArray[np.uint8]]) -> list[Detections]:
        """The people in each BGR image."""
        self._watch.detector_batches.add(len(images))
        return self._detector.detect(images)


class CountedEmbedder:
    """An embedder as it was, whose batches ``watch`` knows."""

    def __init__(self, embedder: Embeds, watch: Watch) -> None:
        self._embedder = embedder
        self._watch = watch

    def embed(self, crops: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """``(N, D)`` unit vectors of N BGR crops."""
        self._watch.embedder_batches.add(len(crops))
        return self._embedder.embed(crops)


def counted(
    detector: Detects | None, embedder: Embeds | None, watch: Watch
) -> tuple[Detects | None, Embeds | None]:
    """Both, with ``watch`` told of their batches; None stays None."""
    return (
        None if detector is None else CountedDetector(detector, watch),
        None if embedder is None else CountedEmbedder(embedder, watch),
    )
