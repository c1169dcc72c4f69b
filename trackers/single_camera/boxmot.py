"""Single-camera trackers of boxmot; the only module that imports it.

A tracker only assigns ids: boxes, scores and all other columns of the detections are unchanged.
"""

from __future__ import annotations

import importlib
import logging
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trackers.detections import Detections
from trackers.single_camera.settings import (
    DEFAULT_TRACKER,
    TAKE_EMBEDDINGS,
    TRACKER_NAMES,
    Options,
    boxmot_settings,
    check_tracker_name,
    known_options,
    needs_image,
    takes_embeddings,
)

__all__ = [
    "DEFAULT_TRACKER",
    "TRACKER_NAMES",
    "SingleCameraTracker",
    "needs_image",
    "takes_embeddings",
    "tracker_options",
]

_BLANK = np.zeros((1, 1, 3), np.uint8)
# The columns of a row of boxmot: box, track id, score, class, and the row of its detection.
_TRACK_ID, _DETECTION = 4, 7


class SingleCameraTracker:
    """The tracker of one camera; trackers share no state.

    A lost track keeps its id for ``buffer_s`` seconds; ``fps`` is the usual frame rate. Without
    ``use_embeddings`` only motion is used. ``options`` are the tracker's own options with boxmot's
    names; ``cmc: true`` compensates for the motion of the camera.

    Raises ValueError for an unknown name or option, a value of the wrong type, a duration or rate
    that is not positive, or embeddings for a tracker that does not use them.
    """

    def __init__(
        self,
        name: str = DEFAULT_TRACKER,
        *,
        buffer_s: float,
        fps: float,
        use_embeddings: bool = False,
        options: Options | None = None,
    ) -> None:
        options = options or {}
        _check(name, buffer_s, fps, use_embeddings, options)
        self._name = name
        self._use_embeddings = use_embeddings
        #: Whether it needs the image of every frame.
        self.needs_image = needs_image(name, options)
        self._cmc = bool(options.get("cmc"))
        buffer = max(1, round(buffer_s * fps))
        self._settings = boxmot_settings(name, buffer, fps, use_embeddings, options)
        # Half a frame of tolerance, because timestamps are rarely exact.
        self._longest_gap_s = (buffer + 0.5) / fps
        self._tracker = self._create()
        self._last_timestamp: float | None = None
        self._ids_before = 0
        self._last_id = 0

    def update(
        self, detections: Detections, image: NDArray[np.uint8] | None, timestamp: float
    ) -> Detections:
        """The detections of the frame that belong to a track, with ``track_ids`` filled.

        Call it for every frame, including frames without detections. ``image`` is ``(H, W, 3)``
        uint8 BGR, or None if `needs_image` is False; ``timestamp`` is in seconds and increases.
        Rows are ordered by track id. An id is at least 1, unique in a frame and never reused.

        Raises ValueError when the timestamp does not increase, or when a required image or
        required embeddings are missing.
        """
        self._advance(timestamp)
        frame, at = self._frame(image), float(timestamp)
        embeddings = self._embeddings(detections)
        if embeddings is None:
            # Rows of numbers take half the time of boxmot's tensors, each of which is checked.
            rows = self._tracker.update(_rows(detections), frame, timestamp_s=at)
            return self._tracked(detections, rows[:, _TRACK_ID], rows[:, _DETECTION])
        tracks = self._tracker.update(_tensors(detections, embeddings), frame, timestamp_s=at)
        return self._tracked(detections, tracks.track_ids.numpy(), tracks.detection_indices.numpy())

    def _advance(self, timestamp: float) -> None:
        last = self._last_timestamp
        if last is not None and not timestamp > last:
            raise ValueError(f"timestamps of a camera must increase, got {timestamp} after {last}")
        if last is not None and timestamp - last > self._longest_gap_s:
            # Every track is older than the buffer, so none may continue.
            self._tracker = self._create()
            self._ids_before = self._last_id
        self._last_timestamp = timestamp

    def _create(self) -> Any:
        tracker = _boxmot_tracker(self._name, self._settings)
        if not self._cmc:
            # StrongSORT has no option to disable it.
            tracker.cmc = None
        if self._name == "bytetrack":
            # boxmot keeps all ended tracks and iterates over them on each frame.
            tracker.removed_stracks = deque(maxlen=1000)
        if self._name == "botsort":
            _report_from_first_box(tracker)
        return tracker

    def _embeddings(self, detections: Detections) -> NDArray[np.float32] | None:
        if not self._tracker.requirements.embeddings:
            return None
        if not self._use_embeddings or not len(detections):
            # StrongSORT requires embeddings: with identical ones only motion decides.
            return np.ones((len(detections), 1), np.float32)
        if detections.embeddings is None:
            raise ValueError(f"tracker {self._name!r} uses embeddings, but there are none")
        return detections.embeddings

    def _frame(self, image: NDArray[np.uint8] | None) -> NDArray[np.uint8] | None:
        if self.needs_image and image is None:
            raise ValueError(
                f"tracker {self._name!r} needs the image of every frame with the options cmc and "
                "asso_func: centroid; omit them for recorded detections"
            )
        if not self._tracker.requirements.frame:
            return None
        return image if self.needs_image else _BLANK

    def _tracked(
        self, detections: Detections, track_ids: NDArray[Any], rows: NDArray[Any]
    ) -> Detections:
        """``rows`` are those of ``detections``, -1 for a track without one in this frame."""
        ids = track_ids.astype(np.int64) + 1 + self._ids_before
        order = np.argsort(ids)
        order = order[rows[order] >= 0]
        self._last_id = max(self._last_id, int(ids.max(initial=0)))
        kept = detections.take(rows[order].astype(np.intp))
        return Detections(
            boxes=kept.boxes,
            scores=kept.scores,
            track_ids=ids[order].astype(np.int64),
            embeddings=kept.embeddings,
            masks=kept.masks,
        )


def _rows(detections: Detections) -> NDArray[np.float32]:
    """Box, score and class of each detection, as boxmot takes them: ``(N, 6)``."""
    classes = np.zeros(len(detections), np.float32)
    return np.column_stack([detections.boxes, detections.scores, classes]).astype(np.float32)


def _tensors(detections: Detections, embeddings: NDArray[np.float32]) -> Any:
    """The same with embeddings ``(N, D)``, for which boxmot takes tensors only."""
    import torch
    from boxmot.structures import Boxes
    from boxmot.structures import Detections as BoxmotDetections

    return BoxmotDetections(
        geometry=Boxes(torch.tensor(detections.boxes, dtype=torch.float32)),
        scores=torch.tensor(detections.scores, dtype=torch.float32),
        class_ids=torch.zeros(len(detections), dtype=torch.int64),
        sample_id="frame",
        embeddings=torch.tensor(embeddings),
    )


class _TorchWhenUsed(ModuleType):
    """What boxmot's modules have for ``torch`` until one of them uses it."""

    def __getattr__(self, name: str) -> Any:
        if name == "__path__":
            raise AttributeError(
                "boxmot imports a part of torch, which it did not when this was made"
            )
        _forget_stand_in()
        return getattr(importlib.import_module("torch"), name)


def _forget_stand_in() -> None:
    if isinstance(sys.modules.get("torch"), _TorchWhenUsed):
        del sys.modules["torch"]


@contextmanager
def _torch_when_used() -> Iterator[None]:
    """Let what is imported in the block import torch only when it uses it.

    boxmot's trackers compute with numpy. They import torch for the tensors in which they are given
    embeddings; without these they need none of its two seconds and 300 MB.
    """
    sys.modules.setdefault("torch", _TorchWhenUsed("torch"))
    try:
        yield
    finally:
        _forget_stand_in()


def _boxmot_tracker(name: str, settings: Options) -> Any:
    with _torch_when_used():
        import boxmot.utils  # noqa: F401  installs boxmot's own log handler, removed below
        from boxmot.trackers.factory import create_tracker
        from boxmot.trackers.specs import TrackerSpec

    # boxmot would print its settings through its own handler.
    log = logging.getLogger("boxmot")
    log.handlers.clear()
    log.propagate = True
    log.setLevel(logging.WARNING)
    try:
        with _torch_when_used():
            return create_tracker(TrackerSpec(name, options=tuple(sorted(settings.items()))))
    except (TypeError, ValueError) as error:
        raise ValueError(f"tracker {name!r}: {error}") from error


def _report_from_first_box(tracker: Any) -> None:
    """Let BoT-SORT report a track from its first box on; boxmot waits for a second one, which costs
    the first box of each track, and every track that is hidden at once."""
    begin = tracker._initialize_new_tracks

    def begin_reported(u_detections: Any, activated: Any, detections: Any) -> None:
        begin(u_detections, activated, detections)
        for track in activated:
            track.is_activated = True

    tracker._initialize_new_tracks = begin_reported


def _check(name: str, buffer_s: float, fps: float, use_embeddings: bool, options: Options) -> None:
    if not buffer_s > 0:
        raise ValueError(f"buffer_s must be more than 0 seconds, got {buffer_s}")
    if not fps > 0:
        raise ValueError(f"fps must be more than 0, got {fps}")
    if use_embeddings and not takes_embeddings(name):
        able = ", ".join(sorted(TAKE_EMBEDDINGS))
        raise ValueError(f"tracker {name!r} does not use embeddings. These do: {able}")
    check_tracker_name(name)
    _check_options(name, options)


def _check_options(name: str, options: Options) -> None:
    known = tracker_options(name)
    for key, value in options.items():
        if key not in known:
            raise ValueError(
                f"tracker {name!r} has no option {key!r}. Known: {', '.join(sorted(known))}"
            )
        if not _same_kind(value, known[key]):
            raise ValueError(
                f"option {key!r} of tracker {name!r}: expected a value like {known[key]!r}, "
                f"got {value!r}"
            )


def _same_kind(value: object, example: object) -> bool:
    if isinstance(value, bool) or isinstance(example, bool):
        return isinstance(value, bool) and isinstance(example, bool)
    if isinstance(example, int):
        return isinstance(value, int)
    return isinstance(value, int | float if isinstance(example, float) else type(example))


def tracker_options(name: str) -> Options:
    """The options of the tracker ``name`` with their default values.

    Raises ValueError for an unknown name.
    """
    from boxmot.trackers.config import load_tracker_defaults

    check_tracker_name(name)
    return known_options(name, load_tracker_defaults(name))
