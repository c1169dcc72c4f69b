"""Picture files in folders, and what to say when they are not there."""

import re
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

#: Endings of picture files; anything else in a folder (lists, Thumbs.db, notes) is passed over.
PICTURES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})


@dataclass(frozen=True, slots=True)
class DataSetInfo:
    """What a user has to know about a set: its name, whom it comes from, how it lies on disk."""

    name: str
    to_be_had: str
    layout: str

    def missing(self, what: Path) -> ValueError:
        """The error for a file or folder of the set that is not there."""
        return ValueError(
            f"{self.name}: {what} is missing. Expected {self.layout}. "
            f"The set is to be had {self.to_be_had}"
        )

    def misnamed(self, path: Path) -> ValueError:
        """The error for a picture whose name says neither who nor which camera."""
        return ValueError(f"{self.name}: cannot read the name of {path}. Expected {self.layout}")


def pictures(folder: Path, source: DataSetInfo) -> list[Path]:
    """The picture files right in ``folder``, sorted by name.

    Raises ValueError when the folder is missing or has none.
    """
    found = sorted(path for path in folder.glob("*") if is_picture(path))
    if not found:
        raise source.missing(folder if not folder.is_dir() else folder / "*")
    return found


def is_picture(path: Path) -> bool:
    """Whether this is a file whose ending is that of a picture; hidden files are none."""
    return path.suffix.lower() in PICTURES and not path.name.startswith(".") and path.is_file()


def matched(pattern: re.Pattern[str], path: Path, source: DataSetInfo) -> re.Match[str]:
    """What ``pattern`` finds at the start of the name. Raises ValueError when it finds nothing."""
    found = pattern.match(path.name)
    if found is None:
        raise source.misnamed(path)
    return found


def read_picture(path: Path) -> torch.Tensor:
    """A picture file as ``(3, H, W)`` uint8 RGB; grey ones get three channels, alpha is dropped.

    Raises ValueError when the file is missing or is no picture.
    """
    if not path.is_file():
        raise ValueError(f"{path} does not exist")
    data = np.frombuffer(path.read_bytes(), np.uint8)
    pixels = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if pixels is None:
        raise ValueError(f"{path} cannot be read as a picture")
    return torch.from_numpy(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)).permute(2, 0, 1)
