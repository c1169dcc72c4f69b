"""A new run directory, with the configuration of its run."""

import glob
import os
from pathlib import Path

import yaml

from pipeline.config import SiteConfig
from pipeline.errors import UserError
from pipeline.sources.kinds import exists, is_glob, kind_of
from pipeline.sources.redact import redact


def prepare(out: Path, config: SiteConfig, *, resume: bool = False) -> None:
    """Make the run directory and write the resolved configuration, without any password.

    With ``resume`` it may hold an earlier part of a run with the same configuration.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        text = yaml.safe_dump(_public(config), sort_keys=False)
        if any(out.iterdir()) and not _is_same(out / "config.yaml", text, resume=resume):
            raise UserError(f"{out} is not empty: give --out a new folder")
        (out / "config.yaml").write_text(text)
    except OSError as error:
        raise UserError(
            f"cannot write to {out}: {error.strerror}. Give --out a folder that can be written"
        ) from error


def _is_same(path: Path, text: str, *, resume: bool) -> bool:
    return resume and path.is_file() and path.read_text() == text


def _public(config: SiteConfig) -> dict[str, object]:
    values = config.model_dump(mode="json")
    for camera in values["cameras"].values():
        camera["source"] = _public_source(camera["source"])
    if values["redis"]:
        values["redis"] = redact(values["redis"])
    return dict(values)


def _public_source(source: str | None) -> str | None:
    """A local source by its whole path, so that it is found again from elsewhere."""
    if source is None or kind_of(source) in ("url", "webcam"):
        return source and redact(source)
    if is_glob(source):
        # The folder we are in is no pattern, even when its name looks like one.
        return os.path.join(glob.escape(os.getcwd()), source)
    # It may be on another machine, where a node runs.
    return os.path.abspath(source) if exists(Path(source)) else source
