"""Making a person unrecognisable in the videos of a run, which show everybody else as before."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl

from pipeline.config.schema import CameraConfig
from pipeline.errors import UserError
from pipeline.frame import Frame
from pipeline.pictures.render import Image, cover_people
from pipeline.pictures.video import write_video
from pipeline.privacy.blur_gaps import Boxes, boxes_to_blur
from pipeline.recorder.forgotten import Forgotten, Part
from pipeline.run_directory.reader import RunDirectory
from pipeline.sources import open_source


def videos_of(run: RunDirectory, parts: list[Part]) -> dict[str, Path]:
    """The videos of the cameras that saw these parts of tracks, by camera."""
    cameras = sorted({part.camera_id for part in parts})
    paths = {camera_id: run.path / "video" / f"{camera_id}.mp4" for camera_id in cameras}
    return {camera_id: path for camera_id, path in paths.items() if path.is_file()}


def cover_in_videos(run: RunDirectory, parts: list[Part]) -> int:
    """Blur the bodies that these parts show, and paint over their labels; returns the videos.

    Before the observations are removed, which say where they are. Each video is written anew as a
    whole. Raises UserError when one cannot be read or written: nothing is changed in it then.
    """
    videos = videos_of(run, parts)
    if not videos:
        return 0
    seen = _observations(run, parts)
    fps = {camera.camera_id: camera.fps for camera in run.cameras()}
    hidden, labels = boxes_to_blur(seen, fps), boxes_to_blur(seen, fps, carried=False)
    for camera_id, path in videos.items():
        try:
            write_video(path, _covered(camera_id, path, hidden, labels))
        except OSError as error:
            raise UserError(
                f"cannot write {path}: {error.strerror or error}. The person is still in it"
            ) from error
    return len(videos)


def _observations(run: RunDirectory, parts: list[Part]) -> pl.DataFrame:
    gone = Forgotten(parts)
    cameras = run.observations().partition_by("camera_id", as_dict=True)
    empty = run.observations().clear()
    theirs = [
        rows.filter(pl.Series(gone.of_rows(str(camera_id), rows.to_arrow())))
        for (camera_id,), rows in cameras.items()
    ]
    return pl.concat([empty, *theirs])


def _covered(
    camera_id: str,
    path: Path,
    hidden: Mapping[tuple[str, int], Boxes],
    labels: Mapping[tuple[str, int], Boxes],
) -> Iterator[tuple[float, Image]]:
    for frame in open_source(camera_id, CameraConfig(source=str(path))).frames():
        assert isinstance(frame, Frame)
        key = camera_id, frame.index
        image = frame.image
        if key in hidden:
            image = cover_people(image, hidden[key], labels.get(key, ()))
        yield frame.timestamp, image
