"""The single-camera tracker of a configuration: which one, and how it is made."""

from pipeline.config.schema import TrackerConfig
from pipeline.errors import UserError, unknown_name
from trackers.single_camera.boxmot import DEFAULT_TRACKER, TRACKER_NAMES, SingleCameraTracker
from trackers.single_camera.link import LinkTracker

#: The tracker that is not boxmot's, and the choice by frames a second.
LINK, AUTO = "link", "auto"

# With fewer frames a second the boxes of one person hardly overlap.
_FEW_FPS = 8.0


def tracker_name(config: TrackerConfig, fps: float) -> str:
    """The tracker to take for ``fps``: the one that is named, or for auto the one that suits.

    Options are those of boxmot's default tracker, so they choose it.
    """
    if config.name != AUTO:
        return config.name
    return LINK if 0 < fps < _FEW_FPS and not config.options else DEFAULT_TRACKER


def open_tracker(config: TrackerConfig, fps: float) -> SingleCameraTracker | LinkTracker:
    """The single-camera tracker of ``config``. Raises UserError for a wrong name or option."""
    name = tracker_name(config, fps)
    if name == LINK:
        if config.options:
            raise UserError(f"tracker {LINK} has no options, got {', '.join(config.options)}")
        return LinkTracker(buffer_s=config.buffer_s)
    if name not in TRACKER_NAMES:
        raise unknown_name("tracker", name, [AUTO, LINK, *TRACKER_NAMES])
    try:
        return SingleCameraTracker(
            name,
            buffer_s=config.buffer_s,
            fps=fps,
            use_embeddings=config.embeddings,
            options=config.options,
        )
    except ValueError as error:
        raise UserError(f"tracker: {error}") from error
