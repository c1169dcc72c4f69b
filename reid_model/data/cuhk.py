"""CUHK03 and CUHK01: two cameras each, pictures named by identity and view."""

import re
from collections.abc import Callable
from pathlib import Path

from reid_model.data.picture_files import DataSetInfo, matched, pictures
from reid_model.data.reid_set import ReidImage, ReidSet

_SOURCE = (
    "the Multimedia Laboratory of the Chinese University of Hong Kong (Wei Li, Xiaogang Wang and "
    "others), for research only, to be converted to this layout"
)
_CUHK03 = DataSetInfo(
    "CUHK03",
    _SOURCE,
    "train/ and val/ in the folder, with pictures like 0012_07.webp: identity, then view, 00-04 "
    "from camera A and 05-09 from camera B",
)
_CUHK01 = DataSetInfo(
    "CUHK01",
    _SOURCE,
    "train/ in the folder, with pictures like 0012_3.webp: identity, then view, 1 and 2 from "
    "camera A, 3 and 4 from camera B",
)

_CUHK03_NAME = re.compile(r"(\d+)_(0\d)\.")
_CUHK01_NAME = re.compile(r"(\d+)_([1-4])\.")
_CAMERA_A, _CAMERA_B = 1, 2


def read_cuhk03(root: Path) -> ReidSet:
    """CUHK03's labelled crops: of val, camera A's pictures are the query, B's the gallery.

    Train and val share no person, even where identity numbers are equal. Raises ValueError as
    every reader.
    """
    held_out = _images(root / "val", _CUHK03_NAME, lambda view: view <= 4, _CUHK03)
    return ReidSet(
        "cuhk03",
        train=_images(root / "train", _CUHK03_NAME, lambda view: view <= 4, _CUHK03),
        query=tuple(image for image in held_out if image.camera == _CAMERA_A),
        gallery=tuple(image for image in held_out if image.camera == _CAMERA_B),
    )


def read_cuhk01(root: Path) -> ReidSet:
    """CUHK01, all of it for training. Raises ValueError as every reader."""
    train = _images(root / "train", _CUHK01_NAME, lambda view: view <= 2, _CUHK01)
    return ReidSet("cuhk01", train, (), ())


def _images(
    folder: Path, pattern: re.Pattern[str], in_camera_a: Callable[[int], bool], info: DataSetInfo
) -> tuple[ReidImage, ...]:
    found = ((path, matched(pattern, path, info)) for path in pictures(folder, info))
    return tuple(
        ReidImage(path, int(name[1]), _CAMERA_A if in_camera_a(int(name[2])) else _CAMERA_B)
        for path, name in found
    )
