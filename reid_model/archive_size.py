"""Refuse an archive of weights that would fill the memory when it is opened."""

import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

#: PyTorch does not compress; an archive that grows by more than this was made to.
_MOST_GROWTH = 4
_ARCHIVE = b"PK\3\4"


def check_archive_size(path: Path) -> None:
    """Raise ValueError when ``path`` is a zip archive that unpacks to far more than it has, or one
    of which that cannot be said.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError, OSError) as error:
        if _begins_as_archive(path):
            # Other readers are less strict.
            raise ValueError(
                f"{path} may be damaged or incomplete: its list of files cannot be read"
            ) from error
        # Opening it reports what it is instead.
        return
    size = path.stat().st_size
    if unpacked > _MOST_GROWTH * size:
        raise ValueError(
            f"{path} has {size} bytes and unpacks to {unpacked}: expected weights, which are not "
            "compressed. It is not opened"
        )


def _begins_as_archive(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_ARCHIVE)) == _ARCHIVE
    except OSError:
        return False


def check_tensor_sizes(path: Path, tensors: Iterable["Tensor"]) -> None:
    """Raise ValueError when the ``tensors`` read from ``path`` have far more values than it holds.

    One value may be repeated any number of times without using memory, until it is converted.
    """
    values = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    size = path.stat().st_size
    if values > _MOST_GROWTH * size:
        raise ValueError(
            f"{path} has {size} bytes and its tensors {values}: expected weights, of which each is "
            "in the file. They are not used"
        )
