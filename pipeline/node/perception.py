"""Detector and embedder of a node, each called once for the frames or crops of all cameras."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.monitoring.watch import Watch
from pipeline.node.batching import AnyFrame
from pipeline.node.camera import Camera
from pipeline.node.crops import Crop, cut
from pipeline.sources.source import Frame
from trackers.detections import Detections
from trackers.single_camera.crops import SelectedCrop

Due = tuple[Camera, SelectedCrop[Crop]]


class PeopleDetector(Protocol):
    """A person detector."""

    def detect(self, images: list[NDArray[np.uint8]]) -> list[Detections]:
        """The people in each BGR image."""


class CropEmbedder(Protocol):
    """A ReID embedder."""

    def embed(self, crops: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """``(N, D)`` unit vectors of N BGR crops."""


class Perception:
    """Detector and embedder of a node; either may be None.

    With ``tracker_embeddings`` every detection gets an embedding, for trackers that use appearance.
    """

    def __init__(
        self,
        detector: PeopleDetector | None,
        embedder: CropEmbedder | None,
        *,
        tracker_embeddings: bool,
    ) -> None:
        self._detector = detector
        self._embedder = embedder
        self._tracker_embeddings = tracker_embeddings

    def detect(self, batch: list[AnyFrame]) -> list[Detections]:
        """The people in each frame; recorded frames already have their detections."""
        images = [frame.image for frame in batch if isinstance(frame, Frame)]
        found = iter(self._detector.detect(images) if self._detector and images else [])
        detections = [
            next(found) if isinstance(frame, Frame) else frame.detections for frame in batch
        ]
        if not self._tracker_embeddings or self._embedder is None:
            return detections
        return _embed_all(batch, detections, self._embedder)

    def embed(self, cameras: list[Camera], most: int | None = None) -> int:
        """Embed the due crops of all cameras in one call and close the tracks that have ended.

        At most ``most`` crops are embedded, first those of tracks with few exemplars; returns the
        number of the others, which are lost.
        """
        due = [(camera, chosen) for camera in cameras for chosen in camera.take_due_crops()]
        due, shed = _most_needed(due, most)
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
                camera.add_embedding(chosen, embedding)
        for camera in cameras:
            camera.close_tracks()
        return shed


def _most_needed(due: list[Due], most: int | None) -> tuple[list[Due], int]:
    """The ``most`` crops that are needed most, in the same order, and the number of the others."""
    if most is None or len(due) <= most:
        return due, 0

    def need(index: int) -> tuple[int, float]:
        camera, chosen = due[index]
        return camera.exemplars_of(chosen), -chosen.quality

    kept = sorted(sorted(range(len(due)), key=need)[:most])
    return [due[index] for index in kept], len(due) - most


def _embed_all(
    batch: list[AnyFrame], detections: list[Detections], embedder: CropEmbedder
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
    """A detector whose batch sizes are recorded in ``watch``."""

    def __init__(self, detector: PeopleDetector, watch: Watch) -> None:
        self._detector = detector
        self._watch = watch

    def detect(self, images: list[NDArray[np.uint8]]) -> list[Detections]:
        """The people in each BGR image."""
        self._watch.detector_batches.add(len(images))
        return self._detector.detect(images)


class CountedEmbedder:
    """An embedder whose batch sizes are recorded in ``watch``."""

    def __init__(self, embedder: CropEmbedder, watch: Watch) -> None:
        self._embedder = embedder
        self._watch = watch

    def embed(self, crops: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """``(N, D)`` unit vectors of N BGR crops."""
        self._watch.embedder_batches.add(len(crops))
        return self._embedder.embed(crops)


def count_batches(
    detector: PeopleDetector | None, embedder: CropEmbedder | None, watch: Watch
) -> tuple[PeopleDetector | None, CropEmbedder | None]:
    """Wrap both so that ``watch`` records their batch sizes; None stays None."""
    return (
        None if detector is None else CountedDetector(detector, watch),
        None if embedder is None else CountedEmbedder(embedder, watch),
    )
