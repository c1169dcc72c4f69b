"""The floor plan of a site: a picture, and where it lies on the ground."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema import PlanConfig
from pipeline.errors import UserError

_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The file of a plan with its ``media_type`` and its size in pixels.

    ``to_ground`` is the ``(3, 3)`` affine map from its pixels to ground metres.
    """

    content: bytes
    media_type: str
    width: int
    height: int
    to_ground: NDArray[np.float64]

    def bounds(self) -> tuple[float, float, float, float]:
        """The ground that it covers: left, low, right, high, metres."""
        width, height = self.width, self.height
        corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]])
        x, y = (corners @ self.to_ground[:2].T).T
        return float(x.min()), float(y.min()), float(x.max()), float(y.max())


def read_plan(config: PlanConfig) -> Plan:
    """The plan of a site. Raises UserError for a picture that is not there or cannot be read."""
    path = Path(config.picture)
    media_type = _TYPES.get(path.suffix.lower())
    if media_type is None:
        raise UserError(f"plan.picture {path}: expected a picture, {', '.join(_TYPES)}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(
            f"cannot read plan.picture {path}: {error.strerror}. Expected the path of a picture, "
            "from the folder in which the command runs"
        ) from error
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
    if image is None:
        raise UserError(
            f"plan.picture {path} is no picture, or a damaged one: expected a png, jpg or webp"
        )
    height, width = image.shape[:2]
    return Plan(content, media_type, width, height, config.to_ground)
