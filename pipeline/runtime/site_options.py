"""Merges a site configuration with the sources and options of the command line."""

from pipeline.config.load import check_config
from pipeline.config.schema import CameraConfig, SiteConfig
from pipeline.errors import UserError, unknown_name
from pipeline.sources.source_names import resolve_sources


def with_options(config: SiteConfig, sources: list[str], options: dict[str, object]) -> SiteConfig:
    """``config`` with additional sources and options; options that are None are ignored.

    A source named like a camera of the configuration becomes that camera's source; any other is a
    new camera. Raises UserError when a camera has no source.
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
                f"camera {name} has no source: give {name}=SOURCE or set it in the configuration"
            )
    return merged


def with_cameras_only(config: SiteConfig, names: list[str]) -> SiteConfig:
    """``config`` with only these cameras and the links between them.

    Raises UserError for an unknown camera, and when no name is given.
    """
    for name in names:
        if name not in config.cameras:
            raise unknown_name("camera", name, config.cameras)
    if not names:
        raise UserError("no camera is named: expected comma-separated names, for example gate,hall")
    return cameras_of(config, names)


def cameras_of(config: SiteConfig, names: list[str]) -> SiteConfig:
    """``config`` with only the cameras in ``names``, the links between them and their zones and
    lines.
    """
    cameras = {name: config.cameras[name] for name in config.cameras if name in names}
    kept = {None, *cameras}
    links = [link for link in config.camera_links if set(link.between) <= cameras.keys()]
    zones = {name: zone for name, zone in config.zones.items() if zone.camera in kept}
    lines = {name: line for name, line in config.lines.items() if line.camera in kept}
    changed = {"cameras": cameras, "camera_links": links, "zones": zones, "lines": lines}
    return config.model_copy(update=changed)


def _override(values: dict[str, object], options: dict[str, object]) -> None:
    for key, option in options.items():
        if isinstance(option, dict):
            section = values.setdefault(key, {})
            assert isinstance(section, dict)
            _override(section, option)
        elif option is not None:
            values[key] = option
