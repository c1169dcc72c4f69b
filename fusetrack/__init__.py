"""Follow people across cameras: video in, trajectories with one global id per person out.

What this package lists is the public Python API: documented, typed and stable. Everything else
lies in `pipeline`, `reid_model` and `trackers` and may change.

Example:
    >>> import fusetrack
    >>> run = fusetrack.follow(["entrance.mp4", "aisle.mkv"], "runs/monday")
    >>> run.trajectories()  # a polars table
    >>> for moment in fusetrack.stream("rtsp://gate.local/stream"):
    ...     print(moment.camera_id, moment.global_ids)
"""

from typing import TYPE_CHECKING, Any

from pipeline import check_trackers

if TYPE_CHECKING:
    from pipeline.config.load import load_config
    from pipeline.config.schema import SiteConfig
    from pipeline.errors import UserError
    from pipeline.node.own import PeopleEmbedder
    from pipeline.node.perception import PeopleDetector
    from pipeline.node.tracker import PeopleTracker
    from pipeline.run import Run
    from pipeline.run_directory.reader import RunDirectory
    from pipeline.runtime.moments import Moment
    from pipeline.runtime.run import follow
    from pipeline.runtime.stream import stream
    from trackers.detections import Detections

__all__ = [
    "Detections",
    "Moment",
    "PeopleDetector",
    "PeopleEmbedder",
    "PeopleTracker",
    "Run",
    "RunDirectory",
    "SiteConfig",
    "UserError",
    "follow",
    "load_config",
    "stream",
]

check_trackers()

_HOMES = {
    "Detections": "trackers.detections",
    "Moment": "pipeline.runtime.moments",
    "PeopleDetector": "pipeline.node.perception",
    "PeopleEmbedder": "pipeline.node.own",
    "PeopleTracker": "pipeline.node.tracker",
    "Run": "pipeline.run",
    "RunDirectory": "pipeline.run_directory.reader",
    "SiteConfig": "pipeline.config.schema",
    "UserError": "pipeline.errors",
    "follow": "pipeline.runtime.run",
    "load_config": "pipeline.config.load",
    "stream": "pipeline.runtime.stream",
}


def __getattr__(name: str) -> Any:
    """A public name, imported when it is first used: importing fusetrack costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
