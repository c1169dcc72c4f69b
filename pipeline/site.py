"""One configuration out of the file's and what was given beside it."""

from pipeline.config import CameraConfig, SiteConfig
from pipeline.config_file import check_config
from pipeline.errors import UserError
from pipeline.sources.names import resolve_sources


def with_options(config: SiteConfig, sources: list[str], options: dict[str, object]) -> SiteConfig:
    """``config`` with more sources and options; an option that is None is not set.

    A source whose name is a camera of the configuration becomes that camera's source; any other
    is a new camera. Raises UserError when a camera is left without a source.
    """
    values = config.model_dump(mode="python", exclude_unset=True)
    cameras = values.setdefault("cameras", {})
    for name, camera in resolve_sources(sources).items():
        given = config.cameras.get(name, CameraConfig())
        cameras[name] = {**given.model_dump(exclude_unset=True), "source": camera.source}
    _override(values, options)
    merged = check_config(values, "the command line")
    for name, camera in merged.cameras.items():
        if camera.source is None:
            raise UserError(
                f"camera {name} has no source: give {name}=SOURCE or set it in the file"
            )
    return merged


def _override(values: dict[str, object], options: dict[str, object]) -> None:
    for key, option in options.items():
        if isinstance(option, dict):
            section = values.setdefault(key, {})
            assert isinstance(section, dict)
            _override(section, option)
        elif option is not None:
            values[key] = option
