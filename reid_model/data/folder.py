"""A user's own data: a folder of identities."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reid_model.data.picture_files import DataSetInfo, is_picture
from reid_model.data.reid_set import ReidImage, ReidSet

_FOLDER = DataSetInfo(
    "folder of identities",
    "your own cameras",
    "one folder for each person, with pictures named CAMERA_anything.jpg or lying in a folder for "
    "each camera (IDENTITY/CAMERA/anything.jpg); or such folders in train/, query/ and gallery/",
)
_SPLITS = ("train", "query", "gallery")


@dataclass(frozen=True, slots=True)
class _Found:
    """A picture with the names of its identity and camera, taken from its path."""

    path: Path
    identity: str
    camera: str


def read_folder(root: Path) -> ReidSet:
    """A folder of identities, ``IDENTITY/CAMERA_anything.jpg`` or ``IDENTITY/CAMERA/anything.jpg``.

    If it contains ``train/``, ``query/`` or ``gallery/``, each is read as that part; otherwise
    everything is for training. Identities and cameras are numbered 0, 1, ... in the order of
    their names, over all parts together. Raises ValueError as every reader, and for a query
    without a gallery or a gallery without a query.
    """
    if not root.is_dir():
        raise _FOLDER.missing(root)
    splits = {name: root / name for name in _SPLITS if (root / name).is_dir()}
    if ("query" in splits) != ("gallery" in splits):
        raise _FOLDER.missing(root / ("gallery" if "query" in splits else "query"))
    found = {name: _pictures(folder) for name, folder in (splits or {"train": root}).items()}
    everything = [one for part in found.values() for one in part]
    identities = _numbers([one.identity for one in everything])
    cameras = _numbers([one.camera for one in everything])
    train, query, gallery = (
        tuple(
            ReidImage(one.path, identities[one.identity], cameras[one.camera])
            for one in found.get(name, ())
        )
        for name in _SPLITS
    )
    return ReidSet(root.resolve().name, train, query, gallery)


def _pictures(folder: Path) -> list[_Found]:
    found = [
        _named(path, person)
        for person in sorted(folder.glob("*"))
        if person.is_dir() and not person.name.startswith(".")
        for path in sorted([*person.glob("*"), *person.glob("*/*")])
        if is_picture(path)
    ]
    if not found:
        raise _FOLDER.missing(folder / "*" / "*")
    return found


def _named(path: Path, person: Path) -> _Found:
    if path.parent != person:
        return _Found(path, person.name, path.parent.name)
    camera, underscore, _ = path.stem.partition("_")
    if not camera or not underscore:
        raise _FOLDER.misnamed(path)
    return _Found(path, person.name, camera)


def _numbers(names: Sequence[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(sorted(set(names)))}
