"""One small picture a track, the best of its crops; kept only when asked for."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.config_privacy import Blur
from pipeline.errors import UserError
from pipeline.pictures.blur import blurred

_HEIGHT = 192
_JPEG_QUALITY = 88


class Thumbnails:
    """The best crop of every open track of one camera, written as JPEG when the track closes.

    ``blur`` says what of everybody in it is made unrecognisable. Pictures are numbered on ``after``
    those of an earlier life of the camera.
    """

    def __init__(self, folder: Path, camera_id: str, blur: Blur = "none", after: int = 0) -> None:
        self._folder = folder
        self._camera_id = camera_id
        self._blur = blur
        self._after = after
        self._best: dict[int, tuple[float, NDArray[np.uint8]]] = {}

    def offer(
        self,
        track_id: int,
        quality: float,
        image: NDArray[np.uint8],
        people: NDArray[np.float32],
    ) -> None:
        """Keep ``image`` ``(H, W, 3)`` uint8 BGR if it is the best of its track so far.

        ``people`` is ``(N, 4)`` xyxy pixels: everybody who may be seen in it.
        """
        best = self._best.get(track_id)
        if best is None or quality > best[0]:
            self._best[track_id] = quality, _shrink(blurred(image, people, self._blur))

    def write(self, track_id: int) -> str | None:
        """Write the picture of a closed track; its path relative to the run directory, or None.

        Raises UserError when it cannot be written.
        """
        best = self._best.pop(track_id, None)
        if best is None:
            return None
        name = f"{self._after + track_id}.jpg"
        path = self._folder / self._camera_id / name
        _, data = cv2.imencode(".jpg", best[1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data.tobytes())
        except OSError as error:
            raise UserError(f"cannot write the thumbnail {path}: {error.strerror}") from error
        return f"{self._folder.name}/{self._camera_id}/{name}"


def _shrink(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    if height <= _HEIGHT:
        return image
    size = max(round(width * _HEIGHT / height), 1), _HEIGHT
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
