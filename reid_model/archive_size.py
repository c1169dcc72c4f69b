"""Refuse an archive of weights that would fill the memory when it is opened."""

import zipfile
from pathlib import Path

#: PyTorch does not compress; an archive that grows by more than this was made to.
_MOST_GROWTH = 4


def check_archive_size(path: Path) -> None:
    """Raise ValueError when ``path`` is a zip archive that unpacks to far more than it has."""
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError, OSError):
        # Opening it reports what it is instead.
        return
    size = path.stat().st_size
    if unpacked > _MOST_GROWTH * size:
        raise ValueError(
            f"{path} has {size} bytes and unpacks to {unpacked}: expected weights, which are not "
            "compressed. It is not opened"
        )
