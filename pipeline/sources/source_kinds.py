"""Recognise the kind of a source from its text."""

import glob
import os
import re
from pathlib import Path
from typing import Literal

from pipeline.config.schema import CameraConfig, SiteConfig

SourceKind = Literal["url", "webcam", "recorded", "pictures", "video"]

PICTURE_SUFFIXES = frozenset(
    {".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pgm", ".png", ".ppm"}
    | {".tif", ".tiff", ".webp"}
)
#: Pictures that cannot be read, and are named where they stand among others.
_UNREADABLE_SUFFIXES = frozenset({".dng", ".heic", ".heif", ".jxl"})
VIDEO_SUFFIXES = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".ts", ".webm"})
_HOST = re.compile(r"(\d+(\.\d+){3}|[\w.-]+:\d+)(/|$)")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def kind_of(source: str) -> SourceKind:
    """The kind of ``source``; a glob counts as pictures. Only folders are checked on disk."""
    if source.isascii() and source.isdigit():
        return "webcam"
    if is_url(source):
        return "url"
    path = Path(source)
    if os.path.isdir(path) or is_glob(source) or is_picture(path):
        return "pictures"
    return "recorded" if path.suffix.lower() == ".parquet" else "video"


def is_url(source: str) -> bool:
    """Whether ``source`` is a URL and not a path."""
    return bool(_URL.match(source))


def authority_of(url: str) -> str:
    """What stands between ``://`` and the path, query or fragment of ``url``."""
    return re.split(r"[/?#]", url.split("://", 1)[1], maxsplit=1)[0]


def ends_a_login(rest: str) -> bool:
    """Whether the last ``@`` in ``rest``, which follows ``://``, ends a login with a / or ? in it.

    A host follows it, as an IPv4 address or with its port; a path with an @ goes on otherwise.
    """
    return "@" in rest and _HOST.match(rest.rpartition("@")[2]) is not None


def is_picture(path: Path) -> bool:
    """Whether ``path`` has a picture's suffix and is not a hidden file."""
    return path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith(".")


def may_be_picture(path: Path) -> bool:
    """Whether ``path`` is a picture, or would be one if its format could be read."""
    unreadable = path.suffix.lower() in _UNREADABLE_SUFFIXES and not path.name.startswith(".")
    return unreadable or is_picture(path)


def is_glob(source: str) -> bool:
    """Whether ``source`` is a glob pattern and not an existing path."""
    return glob.has_magic(source) and not exists(Path(source))


def exists(path: Path) -> bool:
    """Whether ``path`` exists; True without permission to check (opening it then says why)."""
    try:
        return path.exists()
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False


def clean_name(text: str) -> str:
    """``text`` with every character except A-Z, a-z, 0-9, ``_``, ``.`` and ``-`` as ``_``."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", text)


def live_cameras(config: SiteConfig) -> list[str]:
    """The names of the live cameras: those whose source is a URL or a webcam."""
    return [name for name, camera in config.cameras.items() if is_live_camera(camera)]


def is_live(config: SiteConfig) -> bool:
    """Whether cameras may be added and removed: any is live, or there is none yet."""
    return not config.cameras or bool(live_cameras(config))


def is_live_camera(camera: CameraConfig) -> bool:
    """Whether the source of a camera is a URL or a webcam."""
    return camera.source is not None and kind_of(camera.source) in ("url", "webcam")
