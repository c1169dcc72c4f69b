"""Detector and embedder of a node, each called once for the frames or crops of all cameras."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.monitoring.watch import Watch
from pipeline.node.batching import AnyFrame
from pipeline.node.camera import Camera
from pipeline.node.crops import Crop, cut
from pipeline.node.detection_rate import DetectionRate, Need
from pipeline.sources.source import Frame, FramePicture
from reid_model.embedder import Descriptions
from trackers.detections import Detections
from trackers.single_camera.crops import SelectedCrop

Due = tuple[Camera, SelectedCrop[Crop]]
_Row = tuple[NDArray[np.float32] | None, NDArray[np.float32] | None, NDArray[np.float32] | None]


class PeopleDetector(Protocol):
    """A person detector that a program brings."""

    def detect(self, images: list[NDArray[np.uint8]]) -> list[Detections]:
        """The people in each BGR image."""


class PictureDetector(Protocol):
    """A person detector that may take less than the whole picture in BGR."""

    def start(self, pictures: Sequence[FramePicture]) -> Callable[[], list[Detections]]:
        """Begin to look for the people in each picture.

        What is returned waits for them, and is called once. Several may be under way at a time.
        """


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
    The detector sees at most ``most_per_s`` frames a second of a camera, see `DetectionRate`; by
    default every frame.
    """

    def __init__(
        self,
        detector: PictureDetector | None,
        embedder: CropEmbedder | None,
        *,
        tracker_embeddings: bool,
        most_per_s: float | None = None,
    ) -> None:
        self._detector = detector
        self._embedder = embedder
        self._tracker_embeddings = tracker_embeddings
        self._rate = None if most_per_s is None else DetectionRate(most_per_s)
        # The detections of each camera's last frame that the detector saw.
        self._last: dict[str, Detections] = {}

    def start(self, batch: list[AnyFrame]) -> Callable[[], list[Detections | None]]:
        """Begin to detect; what is returned waits for the people in each frame.

        Batches are waited for in the order in which they began. A frame has None where the detector
        need not see it and something moves. Recorded frames already have their detections.
        """
        needs = [self._need(frame) for frame in batch]
        pairs = list(zip(batch, needs, strict=True))
        seen = [frame for frame, need in pairs if need is Need.DETECT]
        started = self._start([frame.picture for frame in seen if isinstance(frame, Frame)])

        def finish() -> list[Detections | None]:
            fresh = iter(self._detected(seen, started()))
            return [self._detections(frame, need, fresh) for frame, need in pairs]

        return finish

    def remove(self, camera_id: str) -> None:
        """Forget a camera that has ended or was removed."""
        self._last.pop(camera_id, None)
        if self._rate is not None:
            self._rate.remove(camera_id)

    def _need(self, frame: AnyFrame) -> Need:
        if self._rate is None or not isinstance(frame, Frame):
            return Need.DETECT
        return self._rate.need(frame)

    def _start(self, pictures: list[FramePicture]) -> Callable[[], list[Detections]]:
        return self._detector.start(pictures) if self._detector and pictures else list

    def _detected(self, frames: list[AnyFrame], found: list[Detections]) -> list[Detections]:
        """The detections of frames, those in the pictures among them as ``found``."""
        fresh = iter(found)
        detections = [
            next(fresh) if isinstance(frame, Frame) else frame.detections for frame in frames
        ]
        if not self._tracker_embeddings or self._embedder is None:
            return detections
        return _embed_all(frames, detections, self._embedder)

    def _detections(
        self, frame: AnyFrame, need: Need, fresh: Iterator[Detections]
    ) -> Detections | None:
        if need is Need.BETWEEN:
            return None
        if need is Need.DETECT:
            self._last[frame.camera_id] = next(fresh)
        return self._last[frame.camera_id]

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
        cut(frame.picture, box)
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

    def __init__(self, detector: PictureDetector, watch: Watch) -> None:
        self._detector = detector
        self._watch = watch

    def start(self, pictures: Sequence[FramePicture]) -> Callable[[], list[Detections]]:
        """As of `PictureDetector`."""
        self._watch.detector_batches.add(len(pictures))
        return self._detector.start(pictures)


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
    detector: PictureDetector | None, embedder: CropEmbedder | None, watch: Watch
) -> tuple[PictureDetector | None, CropEmbedder | None]:
    """Wrap both so that ``watch`` records their batch sizes; None stays None."""
    return (
        None if detector is None else CountedDetector(detector, watch),
        None if embedder is None else CountedEmbedder(embedder, watch),
    )
