"""Selects and opens the single-camera tracker of a configuration."""

from pipeline.config.schema import TrackerConfig
from pipeline.errors import UserError, unknown_name
from trackers.single_camera.boxmot import DEFAULT_TRACKER, TRACKER_NAMES, SingleCameraTracker
from trackers.single_camera.link import LinkTracker

#: The tracker that is not from boxmot, and the selection by frame rate.
LINK, AUTO = "link", "auto"

# At lower frame rates the boxes of one person in consecutive frames hardly overlap.
_FEW_FPS = 8.0


def tracker_name(config: TrackerConfig, fps: float) -> str:
    """The name of the tracker for ``fps``: the configured one, or with ``auto`` a suitable one.

    With options ``auto`` selects boxmot's default tracker, to which the options belong.
    """
    if config.name != AUTO:
        return config.name
    return LINK if 0 < fps < _FEW_FPS and not config.options else DEFAULT_TRACKER


def open_tracker(config: TrackerConfig, fps: float) -> SingleCameraTracker | LinkTracker:
    """Open the single-camera tracker of ``config``. Raises UserError for a bad name or option."""
    name = tracker_name(config, fps)
    if name == LINK:
        if config.options:
            raise UserError(f"tracker {LINK} takes no options, got {', '.join(config.options)}")
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
