"""Several data sets joined for training, with some of their identities held out."""

from pathlib import Path

from reid_model.data.cuhk import read_cuhk01, read_cuhk03
from reid_model.data.market1501 import read_market1501
from reid_model.data.reid_set import ReidImage, ReidSet, joined

#: One identity in this many is held out.
_ONE_IN = 20


def read_mixed(root: Path) -> ReidSet:
    """The training pictures of Market-1501, CUHK03 and CUHK01 in folders of those names.

    Every twentieth identity is held out for evaluation and calibration: its pictures from its
    first camera, by number, are the query, the others the gallery. The test parts of the sets are
    not used. Raises ValueError as every reader.
    """
    sets = [
        read_market1501(root / "market1501"),
        read_cuhk03(root / "cuhk03"),
        read_cuhk01(root / "cuhk01"),
    ]
    images = joined("mixed", sets).train
    held_out = set(sorted({image.identity for image in images})[::_ONE_IN])
    first = _first_cameras(images)
    evaluated = [image for image in images if image.identity in held_out]
    return ReidSet(
        "mixed",
        train=tuple(image for image in images if image.identity not in held_out),
        query=tuple(image for image in evaluated if image.camera == first[image.identity]),
        gallery=tuple(image for image in evaluated if image.camera != first[image.identity]),
    )


def _first_cameras(images: tuple[ReidImage, ...]) -> dict[int, int]:
    first: dict[int, int] = {}
    for image in images:
        first[image.identity] = min(image.camera, first.get(image.identity, image.camera))
    return first
