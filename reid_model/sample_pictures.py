"""Pictures that look a little like crops of people, for comparing two forms of one network."""

import cv2
import numpy as np
from numpy.typing import NDArray


def sample_pictures(count: int, height: int, width: int) -> NDArray[np.uint8]:
    """``(count, height, width, 3)`` uint8 BGR, always the same: somebody in clothes of two colours
    with a pattern, in front of a wall and a floor, under some light, with the noise of a camera.
    """
    random = np.random.default_rng(2025)
    return np.stack([_picture(random, height, width) for _ in range(count)])


def _picture(random: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    # Drawn in 256 x 128, so that every size shows the same.
    picture = np.empty((256, 128, 3), np.float32)
    horizon = int(random.integers(90, 200))
    picture[:horizon], picture[horizon:] = random.uniform(0, 255, (2, 3))
    middle = 64 + int(random.integers(-10, 11))
    skin, shirt, trousers = (tuple(map(float, colour)) for colour in random.uniform(0, 255, (3, 3)))
    cv2.rectangle(picture, (middle - 30, 55), (middle + 30, 145), shirt, -1)
    cv2.rectangle(picture, (middle - 24, 145), (middle - 3, 245), trousers, -1)
    cv2.rectangle(picture, (middle + 3, 145), (middle + 24, 245), trousers, -1)
    cv2.circle(picture, (middle, 35), 18, skin, -1)
    stripes = np.sin(np.arange(256) / random.uniform(1, 12))[:, None, None]
    left, right = (float(value) for value in random.uniform(0.4, 1.2, 2))
    light = np.linspace(left, right, 128)[None, :, None]
    coarse = cv2.resize(random.normal(0, 15, (16, 8, 3)), (128, 256))
    picture = (picture + 20 * stripes) * light + coarse + random.normal(0, 6, picture.shape)
    resized = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(np.clip(resized, 0, 255), np.uint8)
