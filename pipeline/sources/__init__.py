"""From what the user types to frames: video files, pictures, streams, recorded detections."""

from pipeline.config.schema import CameraConfig
from pipeline.errors import UserError
from pipeline.sources.source import RecordedFrame, Source
from pipeline.sources.source_kinds import kind_of

__all__ = ["RecordedFrame", "Source", "open_source"]


def open_source(camera_id: str, config: CameraConfig) -> Source:
    """Open and probe the source of one camera; a live one is only called once it is read.

    Raises UserError when it cannot give a single frame: missing, empty or unreadable file, not a
    video, no decoder, a folder without pictures, an address that is no camera's.
    """
    source = config.source
    if source is None:
        raise UserError(
            f"camera {camera_id} has no source. Expected a file, a folder or an address"
        )
    # The libraries behind the sources load only when a source is opened.
    kind = kind_of(source)
    if kind in ("url", "webcam"):
        from pipeline.sources.live import LiveSource

        return LiveSource(camera_id, source, config)
    if kind == "recorded":
        from pipeline.sources.recorded import RecordedSource

        return RecordedSource(camera_id, source)
    if kind == "pictures":
        from pipeline.sources.picture_folder import PictureSource

        return PictureSource(camera_id, source, config)
    from pipeline.sources.video_file import VideoFile

    return VideoFile(camera_id, source, config)
