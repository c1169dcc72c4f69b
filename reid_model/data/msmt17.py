"""MSMT17: pictures in a folder for each identity, listed in text files."""

from pathlib import Path

from reid_model.data.picture_files import DataSetInfo
from reid_model.data.reid_set import ReidImage, ReidSet

_MSMT17 = DataSetInfo(
    "MSMT17",
    "its authors (Longhui Wei and others, Peking University, CVPR 2018), for research only",
    "list_train.txt, list_val.txt, list_query.txt and list_gallery.txt in the folder, with lines "
    "like '0000/0000_000_01_0303morning_0008_0.jpg 0' (the third number is the camera), and the "
    "pictures in train/ and test/ (mask_train_v2/ and mask_test_v2/ in the second edition)",
)


def read_msmt17(root: Path) -> ReidSet:
    """MSMT17, first or second edition: training is list_train and list_val together.

    Train and test share no person, even where identity numbers are equal. Raises ValueError as
    every reader.
    """
    train = _folder(root, "train", "mask_train_v2")
    test = _folder(root, "test", "mask_test_v2")
    return ReidSet(
        "msmt17",
        train=_images(root / "list_train.txt", train) + _images(root / "list_val.txt", train),
        query=_images(root / "list_query.txt", test),
        gallery=_images(root / "list_gallery.txt", test),
    )


def _folder(root: Path, *names: str) -> Path:
    for name in names:
        if (root / name).is_dir():
            return root / name
    raise _MSMT17.missing(root / names[0])


def _images(list_file: Path, folder: Path) -> tuple[ReidImage, ...]:
    if not list_file.is_file():
        raise _MSMT17.missing(list_file)
    lines = list_file.read_text(encoding="utf-8").splitlines()
    return tuple(_image(line, list_file, folder) for line in lines if line.strip())


def _image(line: str, list_file: Path, folder: Path) -> ReidImage:
    name, _, identity = line.strip().rpartition(" ")
    parts = Path(name).name.split("_")
    if len(parts) < 3 or not identity.isdecimal() or not parts[2].isdecimal():
        raise ValueError(f"MSMT17: bad line in {list_file}: {line!r}. Expected {_MSMT17.layout}")
    if not (folder / name).is_file():
        raise _MSMT17.missing(folder / name)
    return ReidImage(folder / name, int(identity), int(parts[2]))
