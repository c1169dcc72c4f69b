"""Creates a run directory and keeps its configuration up to date."""

import glob
import itertools
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import yaml

from pipeline.config.load import read_yaml
from pipeline.config.schema import SiteConfig
from pipeline.errors import UserError, writing
from pipeline.run_directory.durable import exclusive_writer
from pipeline.run_directory.layout import upgrade, version_of, write_version
from pipeline.run_directory.schema import VERSION
from pipeline.sources.redact import redact
from pipeline.sources.source_kinds import exists, is_glob, is_live, kind_of
from reid_model.atomic_file import replacing


@contextmanager
def new_folder(parent: Path, now: datetime) -> Iterator[Path]:
    """A new folder in ``parent`` that is named after ``now``; it goes again if nothing was written.

    A second one of the same second gets ``-2`` behind its name. Raises UserError when it cannot be
    made.
    """
    folder = _made(parent, now.strftime("%Y%m%dT%H%M%SZ"))
    try:
        yield folder
    finally:
        with suppress(OSError):
            folder.rmdir()  # refused when there is something in it


_log = logging.getLogger(__name__)
_WRITABLE = "Give --out a writable folder"


def _made(parent: Path, name: str) -> Path:
    with writing(f"to {parent}", _WRITABLE):
        parent.mkdir(parents=True, exist_ok=True)
        for number in itertools.count(1):
            folder = parent / (name if number == 1 else f"{name}-{number}")
            with suppress(FileExistsError):
                folder.mkdir(mode=0o700)
                return folder
    raise AssertionError("there is always a next number")


def prepare(out: Path, config: SiteConfig, *, resume: bool = False) -> None:
    """Create the run directory and write the resolved configuration, without any password.

    With ``resume`` it may hold an earlier part of a run with the same configuration. The cameras
    of a live site may differ: they can be changed, see `update_config`. One of an earlier version
    of fusetrack is upgraded. Raises UserError when the
    folder is not empty, is of other settings, or cannot be written.
    """
    _check_name(out)
    if os.path.lexists(out) and not out.is_dir():
        what = f"a link to {os.readlink(out)}" if out.is_symlink() else "a file"
        raise UserError(f"cannot write to {out}: it is {what}, not a folder. {_WRITABLE}")
    with writing(f"to {out}", _WRITABLE):
        out.parent.mkdir(parents=True, exist_ok=True)
        # It holds who was where, and pictures of people.
        out.mkdir(mode=0o700, exist_ok=True)
        if any(out.iterdir()):
            _check_resumed(out, config, resume)
            if version_of(out) < VERSION:
                with exclusive_writer(out):
                    upgrade(out)
        _write(out, config)
        _copy_plan(out, config)
        write_version(out)


def plan_path(out: Path, picture: str) -> Path:
    """Where the copy of the floor plan is in the run directory ``out``."""
    return out / f"plan{Path(picture).suffix.lower()}"


def _copy_plan(out: Path, config: SiteConfig) -> None:
    """Copy the floor plan, so that the run directory is whole by itself."""
    if config.plan is None:
        return
    picture, copy = Path(config.plan.picture), plan_path(out, config.plan.picture)
    if picture.is_file():
        with replacing(copy) as partial:
            shutil.copyfile(picture, partial)
    elif not copy.is_file():
        _log.warning("plan.picture %s is not here: %s is without it", picture, out)


def _check_name(out: Path) -> None:
    """Raise UserError when readers could not open ``out``: polars takes text only."""
    try:
        str(out).encode()
    except UnicodeEncodeError:
        shown = os.fsencode(out).decode("utf-8", "backslashreplace")
        raise UserError(f"{shown}: the name is not UTF-8. Give --out another folder") from None


def update_config(out: Path, config: SiteConfig) -> None:
    """Write ``config`` as the current configuration; the previous one becomes config.N.yaml.

    Raises UserError when it cannot be written.
    """
    with writing(f"the configuration to {out}"):
        _write(out, config)


def _write(out: Path, config: SiteConfig) -> None:
    path, text = out / "config.yaml", yaml.safe_dump(_public(config), sort_keys=False)
    if path.is_file():
        if path.read_text() == text:
            return
        number = next(n for n in itertools.count(1) if not (out / f"config.{n}.yaml").exists())
        os.link(path, out / f"config.{number}.yaml")
    with replacing(path) as partial:
        partial.write_bytes(text.encode())


def _check_resumed(out: Path, config: SiteConfig, resume: bool) -> None:
    """Raise UserError where ``out`` is not an earlier part of a run of ``config``."""
    path = out / "config.yaml"
    before = read_yaml(path) if resume and path.is_file() else None
    if not isinstance(before, dict):
        raise UserError(f"{out} is not empty: give --out a new folder")
    differences = _differences(before, config)
    if differences:
        more = f" and {len(differences) - 1} more" if differences[1:] else ""
        raise UserError(
            f"{out} is not empty and was recorded with other settings: {differences[0]}{more}. "
            "Give --out a new folder, or go on with the settings of its config.yaml"
        )


def _differences(before: dict[str, object], config: SiteConfig) -> list[str]:
    """Which settings of a run differ from ``config``, as sentences."""
    now = _public(config)
    if is_live(config):
        for values in (before, now):
            values.pop("cameras", None)
            for name in ("camera_links", "zones", "lines"):
                values.pop(name, None)
    # The plan is for viewers alone.
    for values in (before, now):
        values.pop("plan", None)
    return list(_changes(before, now))


def _changes(before: object, now: object, name: str = "") -> Iterator[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        for key in {**before, **now}:
            yield from _changes(before.get(key), now.get(key), f"{name}.{key}" if name else key)
    elif before != now:
        yield f"{name} was {before!s:.60}, is {now!s:.60}"


def _public(config: SiteConfig) -> dict[str, object]:
    values = config.model_dump(mode="json")
    for camera in values["cameras"].values():
        camera["source"] = _public_source(camera["source"])
    if values["redis"]:
        values["redis"] = redact(values["redis"])
    values["api"]["token"] = None
    values["api"].pop("users")
    # Monitoring settings are not part of the run: a restarted process may use others.
    values.pop("service")
    # Their addresses may be secret.
    values.pop("webhooks")
    values.pop("mqtt")
    return dict(values)


def _public_source(source: str | None) -> str | None:
    """The source without login; a local one by its absolute path, valid in any working folder."""
    if source is None or kind_of(source) in ("url", "webcam"):
        return source and redact(source)
    if redact(source) != source and not exists(Path(source)):
        return redact(source)
    if is_glob(source):
        # The working folder is not a pattern, even if its name contains wildcards.
        return os.path.join(glob.escape(os.getcwd()), source)
    # A path that does not exist here may be on the machine of a node.
    return os.path.abspath(source) if exists(Path(source)) else source
