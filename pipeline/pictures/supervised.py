"""People of a frame as detections of the library supervision."""

import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import supervision


def library() -> Any:
    """The library, imported when it is needed: that takes a second."""
    with warnings.catch_warnings():
        # In a notebook without ipywidgets it warns of a progress bar, which is not used here.
        warnings.simplefilter("ignore")
        return import_module("supervision")


#: The tracker id of a person whose global id is not known.
UNKNOWN = -1


def as_supervision(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    track_ids: NDArray[np.int64],
    global_ids: Sequence[int | None],
    confidences: NDArray[np.float32],
) -> "supervision.Detections":
    """N people: ``boxes`` ``(N, 4)`` xyxy pixels, the others ``(N,)``.

    ``tracker_id`` is the global id, -1 where it is not known, so that annotators give a person one
    colour in all cameras; ``data`` has ``track_id`` and ``identity_confidence`` (NaN: not known).
    """
    ids = np.array([UNKNOWN if i is None else i for i in global_ids], np.int64)
    found: supervision.Detections = library().Detections(
        xyxy=np.asarray(boxes, np.float32).reshape(-1, 4),
        confidence=np.asarray(scores, np.float32),
        class_id=np.zeros(len(ids), np.int64),
        tracker_id=ids,
        data={
            "class_name": np.full(len(ids), "person"),
            "track_id": np.asarray(track_ids, np.int64),
            "identity_confidence": np.asarray(confidences, np.float32),
        },
    )
    return found
