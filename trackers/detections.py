"""The detections of one frame as a struct of arrays, to which each stage adds a column."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """N person boxes of one frame, validated on construction.

    ``boxes`` is ``(N, 4)`` float32 xyxy in pixels, ``scores`` is ``(N,)`` float32 in 0..1.
    ``track_ids`` is ``(N,)`` int64, ``embeddings`` is ``(N, D)`` float32 unit vectors, ``masks``
    is ``(N, H, W)`` bool; each is None until a stage adds it.

    Raises ValueError when a column has the wrong shape, or a box is not finite or does not satisfy
    ``x1 < x2, y1 < y2``.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    track_ids: NDArray[np.int64] | None = None
    embeddings: NDArray[np.float32] | None = None
    masks: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if self.boxes.ndim != 2 or self.boxes.shape[1] != 4:
            raise ValueError(f"boxes must be (N, 4) xyxy, got {self.boxes.shape}")
        count = len(self.boxes)
        _check_column("scores", self.scores, (count,))
        if self.track_ids is not None:
            _check_column("track_ids", self.track_ids, (count,))
        if self.embeddings is not None:
            _check_column("embeddings", self.embeddings[:, :0], (count, 0))
        if self.masks is not None:
            _check_column("masks", self.masks[:, :0, :0], (count, 0, 0))
        if not bool(valid_boxes(self.boxes).all()):
            raise ValueError("every box must be finite with x1 < x2 and y1 < y2")

    def __len__(self) -> int:
        return len(self.boxes)

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> "Detections":
        """The rows at ``index`` (integers or a boolean mask) of all columns."""
        return Detections(
            boxes=self.boxes[index],
            scores=self.scores[index],
            track_ids=None if self.track_ids is None else self.track_ids[index],
            embeddings=None if self.embeddings is None else self.embeddings[index],
            masks=None if self.masks is None else self.masks[index],
        )

    def with_embeddings(self, embeddings: NDArray[np.float32]) -> "Detections":
        """The same detections with the column ``embeddings`` ``(N, D)`` float32."""
        return replace(self, embeddings=embeddings)


def valid_boxes(boxes: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which of ``boxes`` ``(N, 4)`` xyxy are finite and have an area: ``(N,)`` bool."""
    finite = np.isfinite(boxes).all(axis=1)
    with np.errstate(invalid="ignore"):
        has_area = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    return np.asarray(finite & has_area)


def no_detections() -> Detections:
    """The detections of a frame without people."""
    return Detections(
        boxes=np.zeros((0, 4), np.float32),
        scores=np.zeros(0, np.float32),
        track_ids=np.zeros(0, np.int64),
    )


def _check_column(name: str, column: NDArray[np.generic], shape: tuple[int, ...]) -> None:
    if column.shape != shape:
        raise ValueError(f"{name} must have {shape[0]} rows like boxes, got shape {column.shape}")


def areas(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """The area of each box in square pixels: ``(N,)``."""
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))


def intersections(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection areas of boxes ``a`` ``(N, 4)`` with boxes ``b`` ``(M, 4)``: ``(N, M)``."""
    top_left = np.maximum(a[:, None, :2], b[None, :, :2])
    bottom_right = np.minimum(a[:, None, 2:], b[None, :, 2:])
    sides = np.maximum(bottom_right - top_left, 0)
    return np.asarray(sides[..., 0] * sides[..., 1])


def iou(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union, 0..1, of ``a`` ``(N, 4)`` with ``b`` ``(M, 4)``: ``(N, M)``.

    Every box must have an area (``trackers.detections.valid_boxes``).
    """
    shared = intersections(a, b)
    return np.asarray(shared / (areas(a)[:, None] + areas(b)[None, :] - shared))


def without_doubles(detections: Detections, most: float = 0.9) -> Detections:
    """Of boxes that overlap by an IoU of at least ``most`` only the best: they show one person.

    The best has the highest score, the first of equal ones.
    """
    boxes = detections.boxes
    if len(boxes) < 2:
        return detections
    same = iou(boxes, boxes) >= most
    order = np.argsort(-detections.scores, kind="stable")
    kept = np.ones(len(boxes), bool)
    for index in order.tolist():
        if kept[index]:
            kept &= ~same[index]
            kept[index] = True
    return detections if kept.all() else detections.take(kept)


def footpoints(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """The centre of the lower edge of each box, where the person stands: ``(N, 2)`` x and y."""
    return np.column_stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]])
