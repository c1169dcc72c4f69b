"""Picture files in folders, and the errors for missing and misnamed ones."""

import re
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

#: Suffixes of picture files; other files in a folder (lists, Thumbs.db, notes) are ignored.
PICTURES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})


@dataclass(frozen=True, slots=True)
class DataSetInfo:
    """What a user needs to know about a data set: its name, its source, its layout on disk."""

    name: str
    source: str
    layout: str

    def missing(self, what: Path) -> ValueError:
        """The error for a missing file or folder of the set."""
        return ValueError(
            f"{self.name}: {what} is missing. Expected {self.layout}. Source: {self.source}"
        )

    def misnamed(self, path: Path) -> ValueError:
        """The error for a picture whose name does not give identity and camera."""
        return ValueError(f"{self.name}: cannot read the name of {path}. Expected {self.layout}")


def pictures(folder: Path, info: DataSetInfo) -> list[Path]:
    """The picture files directly in ``folder``, sorted by name.

    Raises ValueError when the folder is missing or has none.
    """
    found = sorted(path for path in folder.glob("*") if is_picture(path))
    if not found:
        raise info.missing(folder if not folder.is_dir() else folder / "*")
    return found


def is_picture(path: Path) -> bool:
    """Whether ``path`` is a file with the suffix of a picture, and not hidden."""
    return path.suffix.lower() in PICTURES and not path.name.startswith(".") and path.is_file()


def matched(pattern: re.Pattern[str], path: Path, info: DataSetInfo) -> re.Match[str]:
    """The match of ``pattern`` at the start of the name. Raises ValueError when there is none."""
    found = pattern.match(path.name)
    if found is None:
        raise info.misnamed(path)
    return found


def read_picture(path: Path) -> torch.Tensor:
    """A picture file as ``(3, H, W)`` uint8 RGB; greyscale becomes RGB, alpha is dropped.

    Raises ValueError when the file is missing or not a picture.
    """
    if not path.is_file():
        raise ValueError(f"{path} does not exist")
    data = np.frombuffer(path.read_bytes(), np.uint8)
    pixels = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if pixels is None:
        raise ValueError(f"{path} cannot be read as a picture")
    return torch.from_numpy(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)).permute(2, 0, 1)
