"""Which sides of a box are not those of a person who stands there in full."""

import numpy as np
from numpy.typing import NDArray

#: The lower edge is not at the feet, the upper not at the head, the middle not that of the body;
#: the person does not stand. Any may be true of a box at once: they are added.
FOOT, TOP, MIDDLE, LYING = 1, 2, 4, 8

# This near to the border a box is taken to be cut by it, pixels.
_BORDER_PX = 1.0
# A box that is wider than this share of its height shows no standing person.
_WIDE = 0.75


def uncertain_sides(boxes: NDArray[np.float32], size: tuple[int, int] | None) -> NDArray[np.int64]:
    """``(N,)`` sums of the constants above for boxes ``(N, 4)``, x1 y1 x2 y2 in pixels.

    ``size`` is width and height of the picture; None where it is unknown, and so whether a box is
    cut by its border.
    """
    x1, y1, x2, y2 = boxes.T.astype(np.float64)
    found = np.where(x2 - x1 > _WIDE * (y2 - y1), LYING, 0)
    if size is None:
        return found
    width, height = size
    found += np.where(y2 >= height - _BORDER_PX, FOOT, 0)
    found += np.where(y1 <= _BORDER_PX, TOP, 0)
    return found + np.where((x1 <= _BORDER_PX) | (x2 >= width - _BORDER_PX), MIDDLE, 0)
