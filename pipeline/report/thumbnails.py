"""Thumbnails as data URIs, which keep the page self-contained."""

import base64
from pathlib import Path

import cv2
import numpy as np

# Twice the displayed height, for high-resolution screens.
_MOST_HEIGHT_PX = 240


def data_uri(root: Path, relative: str) -> str | None:
    """The picture ``relative`` to ``root`` as a small JPEG data URI.

    None when there is no such picture below ``root`` or it is damaged.
    """
    path = (root / relative).resolve()
    if not path.is_relative_to(root.resolve()) or not path.is_file():
        return None
    data = np.frombuffer(path.read_bytes(), np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if image is None:
        return None
    jpeg = cv2.imencode(".jpg", _shrunk(image), [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode()


def _shrunk(image: cv2.typing.MatLike) -> cv2.typing.MatLike:
    height, width = image.shape[:2]
    if height <= _MOST_HEIGHT_PX:
        return image
    size = (max(1, round(width * _MOST_HEIGHT_PX / height)), _MOST_HEIGHT_PX)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
