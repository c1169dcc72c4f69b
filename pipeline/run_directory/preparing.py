"""A new run directory, with the configuration of its run."""

from pathlib import Path

import yaml

from pipeline.config import SiteConfig
from pipeline.errors import UserError
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


def _public_source(source: str) -> str:
    """A local source by its whole path, so that it is found again from elsewhere."""
    return str(Path(source).resolve()) if Path(source).exists() else redact(source)
