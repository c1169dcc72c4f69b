"""Checkpoints, written atomically; the last two are kept."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from reid_model.archive_size import check_archive_size
from reid_model.atomic_file import replacing

_DAMAGE = (
    *(pickle.UnpicklingError, zipfile.BadZipFile),
    *(RuntimeError, ValueError, EOFError, OSError),
)
_FORMAT = 1
_KEPT = 2
_PATTERN = "checkpoint-*.pt"


def save_checkpoint(folder: Path, number: int, content: dict[str, Any]) -> Path:
    """Write tensors, numbers, strings, and lists and dicts of them; later ones have higher numbers.

    A crash of the machine at any moment leaves the earlier checkpoints intact. Raises OSError when
    the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"checkpoint-{number:012d}.pt"
    with replacing(path, path.with_suffix(".unfinished")) as partial, partial.open("wb") as file:
        torch.save({**content, "format": _FORMAT}, file)
    for old in _checkpoints(folder)[:-_KEPT]:
        old.unlink()
    for unfinished in set(folder.glob("*.unfinished")):
        unfinished.unlink()
    return path


def load_checkpoint(folder: Path) -> dict[str, Any] | None:
    """The latest checkpoint, on the CPU, or None without one.

    Raises ValueError when it cannot be read.
    """
    found = _checkpoints(folder)
    if not found:
        return None
    try:
        check_archive_size(found[-1])
        content = torch.load(found[-1], map_location="cpu", weights_only=True)
    except _DAMAGE as error:
        raise ValueError(
            f"{found[-1]} is damaged or not a checkpoint: delete it to resume from the one before"
        ) from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise ValueError(f"{found[-1]} is not a checkpoint of this version: start a new training")
    return content


def _checkpoints(folder: Path) -> list[Path]:
    return sorted(folder.glob(_PATTERN))
