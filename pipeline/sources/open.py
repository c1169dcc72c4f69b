"""Open the sources of a site."""

from collections.abc import Sequence

from pipeline.config.schema import SiteConfig
from pipeline.errors import UserError
from pipeline.sources import Source, open_source


def open_sources(config: SiteConfig, *, more_may_come: bool = False) -> list[Source]:
    """Open every source, so that a faulty one is reported before anything starts.

    A live camera that cannot be reached does not prevent a start, unless every source has such a
    fault and it is permanent. Raises UserError otherwise as `open_source`.
    """
    if not config.cameras and not more_may_come:
        raise UserError("no source: give at least one video, folder, URL or detections file")
    sources = [open_source(camera_id, camera) for camera_id, camera in config.cameras.items()]
    if any(source.live for source in sources):
        from pipeline.sources.live import check_reachable

        check_reachable(sources)
    return sources


def open_live_sources(config: SiteConfig, names: Sequence[str]) -> list[Source]:
    """Open cameras for a running site; one that does not answer is only logged.

    Raises UserError if an address cannot be that of a camera.
    """
    from pipeline.sources.live import probe_all

    sources = [open_source(name, config.cameras[name]) for name in names]
    probe_all(sources)
    return sources
