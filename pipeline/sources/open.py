"""Every source of a site, opened before anything starts."""

from collections.abc import Sequence

from pipeline.config.schema import SiteConfig
from pipeline.errors import UserError
from pipeline.sources import Source, open_source


def open_sources(config: SiteConfig, *, more_may_come: bool = False) -> list[Source]:
    """Open every source, so that a wrong one is known before anything starts.

    A live camera that cannot be reached is no reason not to start, unless there is nothing else
    and only a person can mend it.
    """
    if not config.cameras and not more_may_come:
        raise UserError("no source: give at least one video, folder, URL or detections file")
    sources = [open_source(camera_id, camera) for camera_id, camera in config.cameras.items()]
    if any(source.live for source in sources):
        from pipeline.sources.live import probe

        probe(sources)
    return sources


def open_live_sources(config: SiteConfig, names: Sequence[str]) -> list[Source]:
    """Open cameras for a site that runs; who does not answer is only told.

    Raises UserError for an address that cannot be a camera's.
    """
    from pipeline.sources.live import call

    sources = [open_source(name, config.cameras[name]) for name in names]
    call(sources)
    return sources
