"""Paths of the project's own files on this machine."""

import os
from pathlib import Path

import reid_model
from pipeline.errors import UserError


def config_folder() -> Path:
    """The folder of the YAML files: beside this file in a wheel, at the top of a checkout."""
    here = Path(__file__).resolve().parent
    packed = here / "configs"
    return packed if packed.is_dir() else here.parent / "configs"


def packed_weights_folder() -> Path:
    """The folder of the weights that are included in fusetrack."""
    return Path(reid_model.__file__).resolve().parent / "weights"


def cache_folder() -> Path:
    """The cache of weights and exports: FUSETRACK_CACHE, else ``~/.cache/fusetrack``."""
    chosen = os.environ.get("FUSETRACK_CACHE")
    if chosen:
        return expanded(chosen)
    return expanded("~", "set FUSETRACK_CACHE to a folder that can be written") / ".cache/fusetrack"


def expanded(text: str, otherwise: str = "write the whole path") -> Path:
    """``text`` as a path, with ``~`` as the home directory.

    Raises UserError when there is none; ``otherwise`` says what to do then.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise UserError(f"{text}: no home directory is known: {otherwise}") from error
