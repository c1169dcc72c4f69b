"""Named cameras from the sources given on the command line."""

import glob
import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.config.schema import CameraConfig
from pipeline.errors import UserError
from pipeline.sources.files import no_such_file
from pipeline.sources.redact import redact
from pipeline.sources.source_kinds import clean_name, exists, is_glob, is_picture, kind_of

_NAMED = re.compile(r"([A-Za-z0-9_.-]+)=(.+)", re.DOTALL)

#: A camera: its name and its source.
NamedSource = tuple[str, str]


def resolve_sources(arguments: list[str]) -> dict[str, CameraConfig]:
    """The cameras given by the arguments, in order.

    An argument is ``[NAME=]SOURCE``. SOURCE is a video file, a folder of pictures, a pattern (one
    camera for each video, one for each folder of pictures), a URL, a webcam index, or a
    ``.parquet`` file of recorded detections (one camera for each ``camera_id``). Without NAME a
    camera is named after its file, folder or host. An argument that is an existing path is a
    SOURCE even if it contains ``=``. Raises UserError for a missing file, a pattern that matches
    nothing, and two cameras with the same name.
    """
    cameras: dict[str, str] = {}
    for argument in arguments:
        if not argument.strip():
            raise UserError(
                "a source is empty: expected a file, a folder, an address or a webcam index. "
                "Check that all shell variables are set"
            )
        for name, source in _cameras(*_split(argument)):
            if name in cameras:
                raise _same_name(name, cameras[name], source)
            cameras[name] = source
    return {name: CameraConfig(source=source) for name, source in cameras.items()}


def _split(argument: str) -> tuple[str | None, str]:
    found = _NAMED.fullmatch(argument)
    if found is None or exists(Path(argument)):
        return None, argument
    return found[1], found[2]


def _cameras(name: str | None, source: str) -> list[NamedSource]:
    cameras = _globbed(source) if is_glob_of_files(source) else _single(source)
    if name is None:
        return cameras
    if kind_of(source) == "recorded":
        raise UserError(
            f"{name}={source}: recorded detections contain the names of their cameras. "
            "Leave out the name"
        )
    if len(cameras) > 1:
        raise UserError(
            f"{name}={source}: one name for {len(cameras)} cameras. Name each camera, or leave out "
            "the name"
        )
    return [(name, cameras[0][1])]


def is_glob_of_files(source: str) -> bool:
    """Whether ``source`` is a file pattern, not a URL that contains a ``?``."""
    return kind_of(source) == "pictures" and is_glob(source)


def _globbed(pattern: str) -> list[NamedSource]:
    matches = sorted(
        path for match in glob.glob(pattern, recursive=True) if exists(path := Path(match))
    )
    pictures = [path for path in matches if is_picture(path)]
    if not matches:
        raise UserError(f"no file matches {redact(pattern)!r}: expected videos or pictures")
    if not pictures:
        return [camera for path in matches for camera in _single(str(path))]
    if len(pictures) < len(matches):
        other = next(path for path in matches if path not in set(pictures))
        raise UserError(
            f"{pattern!r} matches pictures and other files, such as {other}. Use a narrower pattern"
        )
    folders = dict.fromkeys(path.parent for path in pictures)
    if len(folders) == 1:
        return [(_name_of(pictures[0].parent), pattern)]
    last = os.path.basename(pattern)
    return [(_name_of(folder), os.path.join(glob.escape(str(folder)), last)) for folder in folders]


def _single(source: str) -> list[NamedSource]:
    kind = kind_of(source)
    if kind == "webcam":
        return [(f"webcam{int(source)}", source)]
    if kind == "url":
        return [(clean_name(_host(source)), source)]
    path = Path(source)
    if not exists(path):
        raise no_such_file(path)
    if kind == "recorded":
        # Import Arrow only when it is needed.
        from pipeline.sources.recorded import recorded_cameras

        return [(clean_name(name), source) for name in recorded_cameras(source)]
    return [(_name_of(path), source)]


def _name_of(path: Path) -> str:
    return clean_name(path.resolve().name if os.path.isdir(path) else path.stem)


def _host(source: str) -> str:
    authority = redact(source).split("://", 1)[1]
    return urlsplit(f"//{authority}").hostname or "camera"


def _same_name(name: str, first: str, second: str) -> UserError:
    return UserError(
        f"two cameras are named {name!r}: {redact(first)} and {redact(second)}. "
        "Rename one of them: NAME=SOURCE"
    )
