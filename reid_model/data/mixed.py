"""Several sets as one to train on, with some of their people kept out."""

from pathlib import Path

from reid_model.data.cuhk import read_cuhk01, read_cuhk03
from reid_model.data.market1501 import read_market1501
from reid_model.data.reid_set import ReidImage, ReidSet, joined

#: One of so many identities is kept out.
_ONE_IN = 20


def read_mixed(root: Path) -> ReidSet:
    """The training pictures of Market-1501, CUHK03 and CUHK01 in folders of those names.

    Every twentieth identity is kept out, to measure and to calibrate on: its pictures of the first
    camera that saw it are the query, the others the gallery. The sets' own tests stay out of
    it. Raises ValueError as every reader.
    """
    sets = [
        read_market1501(root / "market1501"),
        read_cuhk03(root / "cuhk03"),
        read_cuhk01(root / "cuhk01"),
    ]
    everyone = joined("mixed", sets).train
    kept_out = set(sorted({image.identity for image in everyone})[::_ONE_IN])
    first = _first_cameras(everyone)
    out = [image for image in everyone if image.identity in kept_out]
    return ReidSet(
        "mixed",
        train=tuple(image for image in everyone if image.identity not in kept_out),
        query=tuple(image for image in out if image.camera == first[image.identity]),
        gallery=tuple(image for image in out if image.camera != first[image.identity]),
    )


def _first_cameras(images: tuple[ReidImage, ...]) -> dict[int, int]:
    first: dict[int, int] = {}
    for image in images:
        first[image.identity] = min(image.camera, first.get(image.identity, image.camera))
    return first
