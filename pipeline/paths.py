"""Paths of the project's own files on this machine."""

import os
from pathlib import Path

import reid_model


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
    return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "fusetrack"
