"""Open the sources of a site."""

import logging
from collections.abc import Sequence

from pipeline.config.schema import SiteConfig
from pipeline.errors import UserError
from pipeline.sources import Source, open_source

_LOG = logging.getLogger(__name__)
#: Where a time comes from that was not given.
_BY_THE_FILE = ("container", "epoch")
_HOUR_S = 3600.0


def open_sources(config: SiteConfig, *, more_may_come: bool = False) -> list[Source]:
    """Open every source, so that a faulty one is reported before anything starts.

    A live camera that cannot be reached does not prevent a start, except as `check_reachable` says.
    Raises UserError otherwise as `open_source`.
    """
    if not config.cameras and not more_may_come:
        raise UserError("no source: give at least one video, folder, URL or detections file")
    sources = [open_source(camera_id, camera) for camera_id, camera in config.cameras.items()]
    _warn_about_gaps(sources, config.association.gallery_s)
    if any(source.live for source in sources):
        from pipeline.sources.live import check_reachable

        check_reachable(sources, waits=more_may_come)
    return sources


def open_live_sources(config: SiteConfig, names: Sequence[str]) -> list[Source]:
    """Open cameras for a running site; one that does not answer is only logged.

    Raises UserError if an address cannot be that of a camera.
    """
    from pipeline.sources.live import probe_all

    sources = [open_source(name, config.cameras[name]) for name in names]
    probe_all(sources)
    return sources


def _warn_about_gaps(sources: Sequence[Source], gallery_s: float) -> None:
    """Log which recordings lie so far from the others that people are forgotten in between."""
    groups = _groups(sources, gallery_s)
    most = max(groups, key=len, default=[])
    for source in (one for group in groups if group is not most for one in group):
        # Where both have the time that was given to them, the gap is meant.
        if any(one.timestamp_origin in _BY_THE_FILE for one in (source, *most)):
            _LOG.warning("%s", _gap(source, most, gallery_s))


def _groups(sources: Sequence[Source], gallery_s: float) -> list[list[Source]]:
    """The recordings in order of time, split where none lasts for over ``gallery_s``."""
    spans = sorted((one.span, one.camera_id, one) for one in sources if one.span is not None)
    groups: list[list[Source]] = []
    end = 0.0
    for (begin, until), _, source in spans:
        if not groups or begin - end > gallery_s:
            groups.append([])
            end = until
        groups[-1].append(source)
        end = max(end, until)
    return groups


def _gap(source: Source, others: Sequence[Source], gallery_s: float) -> str:
    assert source.span is not None
    spans = [one.span for one in others if one.span is not None]
    first, last = min(span[0] for span in spans), max(span[1] for span in spans)
    if source.span[0] > last:
        side = f"begins {(source.span[0] - last) / _HOUR_S:.1f} hours after the others"
    else:
        side = f"ends {(first - source.span[1]) / _HOUR_S:.1f} hours before the others"
    by = "a file without a time counts from 1970"
    if not any(one.timestamp_origin == "epoch" for one in (source, *others)):
        by = "by the creation times of their files"
    return (
        f"camera {source.camera_id}: its recording {side} ({by}), and people are forgotten after "
        f"{gallery_s:g} s (association.gallery_s). If they were recorded at the same time, give "
        "each camera its start: in the site file"
    )
