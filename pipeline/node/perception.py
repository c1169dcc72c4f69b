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
from reid_model.embedder import Descriptions
from trackers.detections import Detections
from trackers.single_camera.crops import SelectedCrop

Due = tuple[Camera, SelectedCrop[Crop]]
_Row = tuple[NDArray[np.float32] | None, NDArray[np.float32] | None, NDArray[np.float32] | None]


class PeopleDetector(Protocol):
    """A person detector."""

    def detect(self, images: list[NDArray[np.uint8]]) -> list[Detections]:
        """The people in each BGR image."""


class CropEmbedder(Protocol):
    """A ReID embedder."""

    def embed(self, crops: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """``(N, D)`` unit vectors of N BGR crops."""

    @property
    def has_words(self) -> bool:
        """Whether `describe` gives text vectors."""

    def describe(self, crops: list[NDArray[np.uint8]]) -> Descriptions:
        """All that the network says about N BGR crops."""


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
        described = self._describe([chosen.crop for _, chosen in due])
        for (camera, chosen), (embedding, text_vector, visibilities) in zip(
            due, described, strict=True
        ):
            if embedding is not None:
                camera.add_embedding(chosen, embedding, text_vector, visibilities)
        for camera in cameras:
            camera.close_tracks()
        return shed

    def _describe(self, crops: list[Crop]) -> Iterator[_Row]:
        """Embedding, text vector and visibilities of each crop, None where there is none."""
        pictures = [crop.image for crop in crops if self._is_wanted(crop)]
        fresh: Iterator[_Row] = iter(())
        if self._embedder and pictures:
            fresh = _rows(self._embedder.describe([p for p in pictures if p is not None]))
        for crop in crops:
            given = crop.embedding
            vector, *others = next(fresh) if self._is_wanted(crop) else (None, None, None)
            yield (vector if given is None else given), others[0], others[1]

    def _is_wanted(self, crop: Crop) -> bool:
        """Whether the network must see a crop: its tracker may have embedded it before."""
        if self._embedder is None or crop.image is None:
            return False
        return crop.embedding is None or self._embedder.has_words


def _rows(found: Descriptions) -> Iterator[_Row]:
    nothing = [None] * len(found.vectors)
    texts = nothing if found.text_vectors is None else found.text_vectors
    parts = nothing if found.visibilities is None else found.visibilities
    return zip(found.vectors, texts, parts, strict=True)


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

    @property
    def has_words(self) -> bool:
        """Whether `describe` gives text vectors."""
        return self._embedder.has_words

    def describe(self, crops: list[NDArray[np.uint8]]) -> Descriptions:
        """All that the network says about N BGR crops."""
        self._watch.embedder_batches.add(len(crops))
        return self._embedder.describe(crops)


def count_batches(
    detector: PeopleDetector | None, embedder: CropEmbedder | None, watch: Watch
) -> tuple[PeopleDetector | None, CropEmbedder | None]:
    """Wrap both so that ``watch`` records their batch sizes; None stays None."""
    return (
        None if detector is None else CountedDetector(detector, watch),
        None if embedder is None else CountedEmbedder(embedder, watch),
    )
