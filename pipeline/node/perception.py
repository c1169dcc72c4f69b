"""What a node sees: the networks, each called once for the pictures and crops of all cameras."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.frame import Frame
from pipeline.monitoring.watch import Watch
from pipeline.node.batching import AnyFrame
from pipeline.node.camera import Camera
from pipeline.node.crops import cut
from trackers.detections import Detections


class Detects(Protocol):
    """A person detector."""

    def detect(self, images: list[NDArray[np.uint8]]) -> list[Detections]:
        """The people in each BGR image."""


class Embeds(Protocol):
    """A ReID embedder."""

    def embed(self, crops: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """``(N, D)`` unit vectors of N BGR crops."""


class Perception:
    """Detector and embedder of a node, either of which may be missing.

    With ``tracker_looks`` every detection gets its embedding, for trackers that look at people.
    """

    def __init__(
        self, detector: Detects | None, embedder: Embeds | None, *, tracker_looks: bool
    ) -> None:
        self._detector = detector
        self._embedder = embedder
        self._tracker_looks = tracker_looks

    def detect(self, batch: list[AnyFrame]) -> list[Detections]:
        """The people in each frame; those of recorded detections are there already."""
        pictures = [frame.image for frame in batch if isinstance(frame, Frame)]
        found = iter(self._detector.detect(pictures) if self._detector and pictures else [])
        detections = [
            next(found) if isinstance(frame, Frame) else frame.detections for frame in batch
        ]
        if not self._tracker_looks or self._embedder is None:
            return detections
        return _embed_all(batch, detections, self._embedder)

    def embed(self, cameras: list[Camera]) -> None:
        """Embed the crops that are due, of all cameras in one call, and close what has ended."""
        due = [(camera, chosen) for camera in cameras for chosen in camera.take_due()]
        missing = [
            chosen.crop.image
            for _, chosen in due
            if chosen.crop.embedding is None and chosen.crop.image is not None
        ]
        fresh: Iterator[NDArray[np.float32]] = iter(
            self._embedder.embed(missing) if self._embedder and missing else []
        )
        for camera, chosen in due:
            embedding = chosen.crop.embedding
            if embedding is None:
                embedding = next(fresh, None)
            if embedding is not None:
                camera.keep(chosen, embedding)
        for camera in cameras:
            camera.close_tracks()


def _embed_all(
    batch: list[AnyFrame], detections: list[Detections], embedder: Embeds
) -> list[Detections]:
    crops = [
        cut(frame.image, box)
        for frame, found in zip(batch, detections, strict=True)
        if isinstance(frame, Frame)
        for box in found.boxes
    ]
    embeddings = embedder.embed(crops)
    widened, start = [], 0
    for frame, found in zip(batch, detections, strict=True):
        if isinstance(frame, Frame):
            widened.append(found.with_embeddings(embeddings[start : start + len(found)]))
            start += len(found)
        else:
            widened.append(found)
    return widened


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
