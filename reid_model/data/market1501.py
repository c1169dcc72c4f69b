"""Market-1501, and two sets with the same file names."""

import re
from pathlib import Path

from reid_model.data.picture_files import DataSetInfo, matched, pictures
from reid_model.data.reid_set import ReidImage, ReidSet

_FOLDERS = "bounding_box_train/, query/ and bounding_box_test/ in the folder, with pictures like"

_MARKET1501 = DataSetInfo(
    "Market-1501",
    "its authors (Liang Zheng and others, ICCV 2015), for research only",
    f"{_FOLDERS} 0002_c1s1_000451_03.jpg: identity, camera",
)
_DUKEMTMC_REID = DataSetInfo(
    "DukeMTMC-reID",
    "none, Duke University withdrew DukeMTMC in 2019. This reader is for those who have a copy",
    f"{_FOLDERS} 0001_c2_f0046182.jpg: identity, camera",
)
_OCCLUDED_DUKE = DataSetInfo(
    "Occluded-Duke",
    "DukeMTMC-reID, which Duke University withdrew, rearranged by the lists of Jiaxu Miao and "
    "others (ICCV 2019). This reader is for those who have a copy",
    f"{_FOLDERS} 0001_c2_f0046182.jpg: identity, camera",
)

_NAME = re.compile(r"(-1|\d+)_c(\d+)")
_JUNK = -1


def read_market1501(root: Path) -> ReidSet:
    """Market-1501 in its original layout: 751 identities for training, 750 for the test.

    Pictures of identity -1 (junk) are left out, as in the protocol; those of identity 0
    (distractors) stay in the gallery. Raises ValueError as every reader.
    """
    return _read("market1501", root, _MARKET1501)


def read_dukemtmc_reid(root: Path) -> ReidSet:
    """DukeMTMC-reID in its original layout. Raises ValueError as every reader."""
    return _read("dukemtmc-reid", root, _DUKEMTMC_REID)


def read_occluded_duke(root: Path) -> ReidSet:
    """Occluded-Duke in its original layout. Raises ValueError as every reader."""
    return _read("occluded-duke", root, _OCCLUDED_DUKE)


def _read(name: str, root: Path, info: DataSetInfo) -> ReidSet:
    return ReidSet(
        name,
        train=_images(root / "bounding_box_train", info),
        query=_images(root / "query", info),
        gallery=_images(root / "bounding_box_test", info),
    )


def _images(folder: Path, info: DataSetInfo) -> tuple[ReidImage, ...]:
    found = ((path, matched(_NAME, path, info)) for path in pictures(folder, info))
    images = (ReidImage(path, int(name[1]), int(name[2])) for path, name in found)
    return tuple(image for image in images if image.identity != _JUNK)
