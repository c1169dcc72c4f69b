"""One image of one camera, with its timestamp."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Frame:
    """A decoded frame.

    ``index`` counts the frames of this camera from 0; ``timestamp`` is seconds UTC;
    ``image`` is ``(H, W, 3)`` uint8 BGR.
    """

    camera_id: str
    index: int
    timestamp: float
    image: NDArray[np.uint8]
