"""Where things are in a run directory, and its version."""

import os
from pathlib import Path

import msgspec

from pipeline.errors import UserError
from pipeline.run_directory.schema import VERSION
from reid_model.atomic_file import replacing, sync

_OBSERVATIONS = "observations"
#: What the folder of a camera's observations begins with; the second was that of version 1.
_PREFIXES = ("camera_id=", "camera=")
_SCHEMA = "schema.json"
# Bytes of a file name.
_LONGEST = 255


def observations_of(root: Path, camera_id: str) -> Path:
    """The folder of a camera's observations in the run directory ``root``."""
    return root / _OBSERVATIONS / f"{_PREFIXES[0]}{camera_id}"


def observation_folders(root: Path) -> dict[str, Path]:
    """The folders of observations by camera, sorted by name."""
    found = {
        folder.name.removeprefix(prefix): folder
        for prefix in reversed(_PREFIXES)
        for folder in (root / _OBSERVATIONS).glob(f"{prefix}*")
        if folder.is_dir()
    }
    return dict(sorted(found.items()))


class _Schema(msgspec.Struct):
    version: int


def version_of(root: Path) -> int:
    """The version of the schema of the run directory ``root``.

    Raises UserError when the file that says it is damaged, and for a later version than ours.
    """
    path = root / _SCHEMA
    if not path.is_file():
        return 1
    try:
        version = msgspec.json.decode(path.read_bytes(), type=_Schema).version
    except msgspec.DecodeError as error:
        raise UserError(f'{path} is damaged: expected {{"version": {VERSION}}}') from error
    if version > VERSION:
        raise UserError(
            f"{root} has version {version} of the run directory, which a later fusetrack wrote: "
            f"expected at most {VERSION}. Upgrade fusetrack to read it"
        )
    return version


def write_version(root: Path) -> None:
    """Write our version of the schema into ``root``, unless it is there. Raises OSError."""
    if version_of(root) < VERSION:
        with replacing(root / _SCHEMA) as partial:
            partial.write_bytes(msgspec.json.encode(_Schema(VERSION)))


def upgrade(root: Path) -> bool:
    """Bring the run directory ``root`` of an earlier version to ours; returns whether it was one.

    Segments stay as they are: readers fill in the columns that are missing. After a crash it can
    be called again. Raises OSError, and UserError as `version_of`.
    """
    if version_of(root) == VERSION:
        return False
    for camera_id, folder in observation_folders(root).items():
        target = observations_of(root, camera_id)
        if folder != target:
            folder.rename(target)
            sync(target.parent)
    write_version(root)
    return True


#: The video of all cameras at once.
MOSAIC = "mosaic.mp4"


def contained(root: Path, relative: str) -> Path:
    """The path ``relative`` to the run directory ``root``, to be written or deleted.

    Raises UserError when it is not inside, also by a link: a run directory from elsewhere must not
    make fusetrack touch other files.
    """
    path = root / relative
    # The file itself may be a link: deleting or replacing it does not follow it.
    named = "\0" not in relative and is_plain_name(path.name) and path != root
    named = named and all(len(os.fsencode(part)) <= _LONGEST for part in path.parts)
    if not named or not path.parent.resolve().is_relative_to(root.resolve()):
        raise UserError(
            f"{root} names {relative!r}, which is not inside it: expected a run directory written "
            "by fusetrack. Nothing there was changed"
        )
    return path


def file_inside(root: Path, relative: str) -> Path | None:
    """The file ``relative`` to the run directory ``root``, to be read; None when it has none there.

    A damaged table must not name a file of somewhere else, also by a link.
    """
    try:
        path = (root / relative).resolve()
        return path if path.is_relative_to(root.resolve()) and path.is_file() else None
    except (OSError, ValueError):
        # No file can have that name.
        return None


def contained_folder(root: Path, relative: str) -> Path:
    """The folder ``relative`` to ``root`` for files to be written or deleted, as `contained`."""
    return contained(root, f"{relative}/file").parent


def check_contained(root: Path) -> None:
    """Raise UserError when a folder of tables in ``root`` is a link that leads out of it."""
    folders = [root / name for name in ("tracklets", "identities")]
    for folder in [*folders, *observation_folders(root).values()]:
        contained_folder(root, str(folder.relative_to(root)))


def is_plain_name(name: str) -> bool:
    """Whether ``name`` can be the name of a file in a folder."""
    return name not in ("", ".", "..") and not set(name) & set("/\\\0")
