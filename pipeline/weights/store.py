"""Find verified weights on this machine, without network access."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.config.schema import OWN
from pipeline.errors import UserError, unknown_name
from pipeline.paths import cache_folder, expanded, packed_weights_folder
from pipeline.weights.manifest import Weights, WeightsKind, load_manifest

WeightsState = Literal["ok", "missing", "wrong hash"]


@dataclass(frozen=True, slots=True)
class FileState:
    """The state of one file of the manifest; ``path`` is where it is or would be."""

    name: str
    file: str
    path: Path
    state: WeightsState


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file in hex. Raises UserError when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error


def entry_folder(name: str) -> Path:
    """The cache folder of the files of ``name``."""
    return cache_folder() / "weights" / name


def user_folder() -> Path | None:
    """The user's own weights folder, FUSETRACK_WEIGHTS; None when it is not set."""
    chosen = os.environ.get("FUSETRACK_WEIGHTS")
    return expanded(chosen) if chosen else None


def weights_path(name_or_path: str, kind: WeightsKind | None = None) -> Path:
    """The file to open for a name of the manifest, or for the path of a file or folder.

    The files of a name are verified; a path is returned unchecked. ``kind`` restricts the names.
    Raises UserError for an unknown name, a missing file, weights that have not been pulled and a
    wrong hash.
    """
    if name_or_path.startswith(OWN):
        raise UserError(
            f"{name_or_path.removeprefix(OWN)} was an object of a program and is in no file: give "
            "it again, or name another model"
        )
    manifest = _of_kind(load_manifest(), kind)
    path = expanded(name_or_path)
    if name_or_path not in manifest and path.exists():
        return path
    name = _entry_name(name_or_path, manifest)
    if name is None:
        if path.suffix or len(path.parts) > 1:
            raise UserError(f"no such weights file: {path}")
        called = "ReID model" if kind == "reid" else kind or "weights"
        fault = unknown_name(called, name_or_path, manifest)
        raise UserError(f"{fault}. Or give the path of a file")
    return weights_files(name, manifest)[0]


def weights_files(name: str, manifest: dict[str, Weights] | None = None) -> list[Path]:
    """All files of a manifest entry, verified, in the order of the manifest.

    Raises UserError for an unknown name, files that have not been pulled and a wrong hash.
    """
    manifest = load_manifest() if manifest is None else manifest
    if name not in manifest:
        raise unknown_name("weights", name, manifest)
    entry = manifest[name]
    for folder in _folders(name):
        paths = [folder / file for file in entry.files]
        if all(path.is_file() for path in paths):
            for path in paths:
                _check_hash(path, entry.files[path.name].sha256, name)
            return paths
    raise UserError(f"{name} is not installed: run `fusetrack weights pull {name}`")


def entry_by_hash(path: Path) -> tuple[str, Weights] | None:
    """Name and manifest entry of the file with the same hash as ``path``; None if unknown."""
    if not path.is_file():
        return None
    digest = sha256_of(path)
    for name, entry in load_manifest().items():
        if any(file.sha256 == digest for file in entry.files.values()):
            return name, entry
    return None


def verify(
    names: list[str] | None = None, manifest: dict[str, Weights] | None = None
) -> list[FileState]:
    """The state of every file of these entries (default: all).

    Raises UserError for an unknown name; a damaged file is a state, not an error.
    """
    manifest = load_manifest() if manifest is None else manifest
    states = []
    for name in manifest if names is None else names:
        if name not in manifest:
            raise unknown_name("weights", name, manifest)
        for file, expected in manifest[name].files.items():
            places = [folder / file for folder in _folders(name)]
            path = next((place for place in places if place.is_file()), places[0])
            states.append(FileState(name, file, path, _state(path, expected.sha256)))
    return states


def _state(path: Path, expected: str) -> WeightsState:
    if not path.is_file():
        return "missing"
    return "ok" if sha256_of(path) == expected else "wrong hash"


def _check_hash(path: Path, expected: str, name: str) -> None:
    found = sha256_of(path)
    if found == expected:
        return
    if path.is_relative_to(cache_folder()):
        remedy = f"run `fusetrack weights pull {name}` to download it again"
    else:
        remedy = "replace or remove it"
    raise UserError(
        f"{path} is damaged or a different file: its sha256 is {found}, expected {expected}. "
        f"It is not used: {remedy}"
    )


def _folders(name: str) -> list[Path]:
    """The folders that may contain the files of ``name``, in order of preference."""
    local = user_folder()
    own = [packed_weights_folder()]
    try:
        own.insert(0, entry_folder(name))
    except UserError:
        # Without a home directory there is no cache, but what comes with fusetrack is there.
        if os.environ.get("FUSETRACK_CACHE"):
            raise
    return own + ([local, local / name] if local else [])


def _of_kind(manifest: dict[str, Weights], kind: WeightsKind | None) -> dict[str, Weights]:
    return {name: entry for name, entry in manifest.items() if kind in (None, entry.kind)}


def _entry_name(wanted: str, manifest: dict[str, Weights]) -> str | None:
    """The entry named ``wanted``, or the one whose first file has that name."""
    if wanted in manifest:
        return wanted
    return next(
        (name for name, entry in manifest.items() if wanted == next(iter(entry.files))), None
    )
