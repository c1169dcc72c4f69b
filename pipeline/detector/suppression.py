"""People from the raw output of a YOLO network: what ultralytics' own predictor keeps of it.

Without PyTorch, which takes longer to import than a minute of video to suppress.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.detector.yolo import Traits

#: As in ultralytics' predictor: boxes that overlap by more are one person, and the most people.
_OVERLAP = 0.7
_MOST = 300


def suppress(prediction: NDArray[Any], traits: Traits, min_score: float) -> NDArray[np.float32]:
    """The people in the raw output for one image: ``(N, 5)`` float32 xyxy and score, best first.

    ``prediction`` is ``(1, 4 + classes + extra, A)``, or ``(1, A, 6 + extra)`` if end-to-end.
    """
    output = prediction[0].astype(np.float32, copy=False)
    if traits.end_to_end or output.shape[-1] == 6:
        people = output[(output[:, 4] > min_score) & (output[:, 5] == traits.person)]
        return np.asarray(people[:_MOST, :5])
    return _best(_candidates(output, traits, min_score))


def _candidates(
    output: NDArray[np.float32], traits: Traits, min_score: float
) -> NDArray[np.float32]:
    """Boxes ``(N, 5)`` xywh and score: a person is more likely there than anything else."""
    output = output[:, output[4 + traits.person] > min_score]
    scores = output[4 : 4 + traits.classes]
    likeliest = scores[traits.person] >= scores.max(axis=0)
    centre, size = output[:2, likeliest], output[2:4, likeliest]
    return np.vstack([centre - size / 2, size, scores[traits.person, likeliest]]).T


def _best(candidates: NDArray[np.float32]) -> NDArray[np.float32]:
    boxes, scores = candidates[:, :4], candidates[:, 4]
    found = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), 0.0, _OVERLAP)
    kept = np.asarray(found, np.intp)[:_MOST]
    corner, size = boxes[kept, :2], boxes[kept, 2:]
    return np.column_stack([corner, corner + size, scores[kept]])
