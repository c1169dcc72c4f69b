"""Sources of frames: video files, image folders, live streams and recorded detections."""

from pipeline.config.schema import CameraConfig
from pipeline.errors import UserError
from pipeline.sources.source import RecordedFrame, Source
from pipeline.sources.source_kinds import kind_of

__all__ = ["RecordedFrame", "Source", "open_source"]


def open_source(camera_id: str, config: CameraConfig) -> Source:
    """Open and probe the source of one camera. A live camera is only connected when it is read.

    Raises UserError when the source cannot deliver a single frame: a missing, empty or unreadable
    file, not a video, no decoder, a folder without pictures, not the address of a camera.
    """
    source = config.source
    if source is None:
        raise UserError(
            f"camera {camera_id} has no source: expected a file, a folder or an address"
        )
    # Import the heavy libraries only when a source of that kind is opened.
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
