"""Detector, tracker and embedder that a program brings, and the checks of what they give.

A wrong answer would only show as odd trajectories, so each is checked where it comes in.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema import OWN
from pipeline.errors import UserError
from pipeline.node.perception import PeopleDetector
from pipeline.node.tracker import PeopleTracker
from pipeline.sources.source import FramePicture
from reid_model.embedder import Descriptions, unit_rows
from trackers.detections import Detections

Image = NDArray[np.uint8]


class PeopleEmbedder(Protocol):
    """What turns pictures of people into vectors that are compared by their cosine."""

    def embed(self, crops: list[Image]) -> NDArray[np.float32]:
        """``(N, D)`` float32, one row for each of N BGR crops ``(h, w, 3)`` uint8 of any size.

        D is always the same. N may exceed ``reid.batch``.
        """


@dataclass(frozen=True, slots=True)
class Own:
    """What a program brings in place of what the configuration names; None brings nothing.

    ``tracker`` is called once for each camera, because a tracker knows one camera only.
    """

    detector: PeopleDetector | None = None
    tracker: Callable[[], PeopleTracker] | None = None
    embedder: PeopleEmbedder | None = None

    def names(self) -> dict[str, dict[str, str]]:
        """How the configuration of the run names them, as options of it."""
        brought = {
            "detector": ("model", self.detector),
            "tracker": ("name", self.tracker),
            "reid": ("model", self.embedder),
        }
        return {
            section: {key: OWN + _name(thing)}
            for section, (key, thing) in brought.items()
            if thing is not None
        }


#: Everything is as configured.
NOTHING_OWN = Own()


def check_own(own: Own) -> None:
    """Raise UserError for an object that cannot be what it is given as."""
    _check_object("detector", own.detector, "detect")
    _check_object("embedder", own.embedder, "embed")
    if own.tracker is not None and not callable(own.tracker):
        raise UserError(
            f"tracker is an object of {_name(own.tracker)}: expected a class or a function that "
            "makes a new tracker, because every camera needs one of its own"
        )


def _check_object(what: str, thing: object, method: str) -> None:
    if thing is None:
        return
    if isinstance(thing, type):
        raise UserError(
            f"{what} is the class {_name(thing)}: expected an object, {thing.__name__}()"
        )
    if not callable(getattr(thing, method, None)):
        raise UserError(f"{what} {_name(thing)} has no method {method}, which it needs")


def _name(thing: object) -> str:
    """The class or function, with its module."""
    named = thing if hasattr(thing, "__qualname__") else type(thing)
    return f"{named.__module__}.{named.__qualname__}"


class CheckedDetector:
    """A detector of which each answer is checked. Raises UserError for one that does not fit."""

    def __init__(self, detector: PeopleDetector) -> None:
        self._detector = detector
        self._says = f"the detector {_name(detector)}"

    def start(self, pictures: Sequence[FramePicture]) -> Callable[[], list[Detections]]:
        """What looks for the people in each picture when it is called: a program need not expect
        that its detector is asked before the frames that came earlier were followed.
        """
        return partial(self.detect, pictures)

    def detect(self, pictures: Sequence[FramePicture]) -> list[Detections]:
        """The people in each picture, of which the detector gets all in BGR."""
        images = [picture.image for picture in pictures]
        found = self._detector.detect(images)
        if not isinstance(found, Sequence) or len(found) != len(images):
            count = len(found) if isinstance(found, Sequence) else _name(found)
            raise UserError(
                f"{self._says} gave {count} for {len(images)} pictures: expected a list with the "
                "Detections of each"
            )
        for image, detections in zip(images, found, strict=True):
            _check_detections(self._says, detections)
            _check_inside(self._says, detections, image)
        return list(found)


class CheckedTracker:
    """A tracker of which each answer is checked. Raises UserError for one that does not fit."""

    def __init__(self, tracker: PeopleTracker) -> None:
        self._says = f"the tracker {_name(tracker)}"
        _check_object("tracker", tracker, "update")
        self._tracker = tracker

    def update(self, detections: Detections, image: Image | None, timestamp: float) -> Detections:
        """The detections of a frame that belong to a track, with ``track_ids``."""
        tracked = self._tracker.update(detections, image, timestamp)
        _check_detections(self._says, tracked)
        if tracked.track_ids is None:
            raise UserError(f"{self._says} gave no track_ids: expected (N,) int64")
        _check_type(self._says, "track_ids", tracked.track_ids, np.int64)
        ids = tracked.track_ids
        if len(ids) and (int(ids.min()) < 1 or len(np.unique(ids)) < len(ids)):
            raise UserError(
                f"{self._says} gave track_ids {ids.tolist()}: expected numbers from 1, each once "
                "in a frame"
            )
        return tracked


class CheckedEmbedder:
    """An embedder of which each answer is checked, and made of unit vectors.

    ``dimension`` is D, which the first answer says. Raises UserError for one that does not fit.
    """

    has_words = False

    def __init__(self, embedder: PeopleEmbedder) -> None:
        self._embedder = embedder
        self._says = f"the embedder {_name(embedder)}"
        self.dimension = 0
        self.dimension = self.embed([np.full((256, 128, 3), 128, np.uint8)]).shape[1]

    def embed(self, crops: list[Image]) -> NDArray[np.float32]:
        """``(N, D)`` unit vectors of N BGR crops."""
        if not crops:
            return np.zeros((0, self.dimension), np.float32)
        vectors = self._embedder.embed(crops)
        _check_type(self._says, "vectors", vectors, np.float32)
        shape = (len(crops), self.dimension or "D")
        if (
            vectors.ndim != 2
            or not vectors.size
            or vectors.shape
            != (
                len(crops),
                self.dimension or vectors.shape[1],
            )
        ):
            raise UserError(
                f"{self._says} gave vectors {vectors.shape} for {len(crops)} crops: expected "
                f"({shape[0]}, {shape[1]})"
            )
        if not np.isfinite(vectors).all():
            raise UserError(f"{self._says} gave vectors that are NaN or infinite")
        return unit_rows(vectors)

    def describe(self, crops: list[Image]) -> Descriptions:
        """The vectors alone."""
        return Descriptions(self.embed(crops))


def _check_detections(says: str, found: object) -> None:
    if not isinstance(found, Detections):
        raise UserError(f"{says} gave {_name(found)}: expected fusetrack.Detections")
    _check_type(says, "boxes", found.boxes, np.float32)
    _check_type(says, "scores", found.scores, np.float32)
    if len(found) and not bool(((found.scores >= 0) & (found.scores <= 1)).all()):
        raise UserError(
            f"{says} gave scores from {found.scores.min():g} to "
            f"{found.scores.max():g}: expected 0 to 1"
        )
    if found.embeddings is not None:
        _check_type(says, "embeddings", found.embeddings, np.float32)


def _check_inside(says: str, found: Detections, image: Image) -> None:
    height, width = image.shape[:2]
    left, top, right, bottom = found.boxes.T if len(found) else np.zeros((4, 0))
    outside = (right <= 0) | (bottom <= 0) | (left >= width) | (top >= height)
    if outside.any():
        box = found.boxes[outside][0].round(1).tolist()
        raise UserError(
            f"{says} gave the box {box}, which is outside the picture of {width} x {height} "
            "pixels: expected x1, y1, x2, y2 in pixels"
        )


def _check_type(says: str, column: str, array: object, wanted: type[np.generic]) -> None:
    if not isinstance(array, np.ndarray):
        raise UserError(f"{says} gave {column} as {_name(array)}: expected a numpy array")
    if array.dtype != wanted:
        raise UserError(
            f"{says} gave {column} of {array.dtype}: expected {np.dtype(wanted)}, "
            f"{column}.astype(numpy.{np.dtype(wanted)})"
        )
