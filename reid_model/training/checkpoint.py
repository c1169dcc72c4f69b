"""Checkpoints: files that are there as a whole or not at all, of which the last two are kept."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from reid_model.atomic_file import replacing

_FORMAT = 1
_KEPT = 2
_PATTERN = "checkpoint-*.pt"


def save_checkpoint(folder: Path, number: int, content: dict[str, Any]) -> Path:
    """Write tensors, numbers, texts, and lists and dicts of them. Later ones have higher numbers.

    A stop of the machine at any moment leaves the earlier checkpoints whole. Raises OSError when
    the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"checkpoint-{number:012d}.pt"
    with replacing(path, path.with_suffix(".unfinished")) as partial, partial.open("wb") as file:
        torch.save({**content, "format": _FORMAT}, file)
    for old in _checkpoints(folder)[:-_KEPT]:
        old.unlink()
    for torn in set(folder.glob("*.unfinished")):
        torn.unlink()
    return path


def load_checkpoint(folder: Path) -> dict[str, Any] | None:
    """The latest one, on the CPU, or None where there is none.

    Raises ValueError when it cannot be read.
    """
    found = _checkpoints(folder)
    if not found:
        return None
    try:
        content = torch.load(found[-1], map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, zipfile.BadZipFile, RuntimeError, EOFError, OSError) as error:
        raise ValueError(
            f"{found[-1]} is damaged or no checkpoint. Delete it to go on from the one before"
        ) from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise ValueError(f"{found[-1]} is no checkpoint of this version: start anew")
    return content


def _checkpoints(folder: Path) -> list[Path]:
    return sorted(folder.glob(_PATTERN))
