"""Frames of moments, from the videos that a run keeps."""

import math
from dataclasses import replace
from typing import Annotated, Any, NamedTuple

import cv2
import numpy as np
import polars as pl
from fastapi import APIRouter, HTTPException, Path, Query, Response
from numpy.typing import NDArray

from pipeline.api.archive import Archive
from pipeline.api.schemas import Problem
from pipeline.api.shown import ShownSite
from pipeline.pictures.render import draw_people
from pipeline.pictures.video import frame_at
from pipeline.run_directory.layout import file_inside
from pipeline.run_directory.reader import RunDirectory

Image = NDArray[np.uint8]
#: From when to when, seconds UTC, there is a video of which camera.
Spans = dict[str, tuple[float, float]]

_WIDEST_PX = 1280
# A person whose boxes are this far from the moment is not seen in it.
_NEAR_S = 0.5
_Id = Annotated[int, Path(ge=0, le=2**63 - 1)]
_At = Annotated[float, Query(allow_inf_nan=False, description="Seconds UTC.")]
_FRAME: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {}}},
    404: {"model": Problem, "description": "No video of the run has this moment."},
}


class _Seen(NamedTuple):
    """A person in a camera, with their box."""

    camera_id: str
    box: tuple[float, float, float, float]


def add_moments(data: APIRouter, site: ShownSite) -> None:
    """Add the endpoints."""

    @data.get("/cameras/{camera_id}/moment.jpg", responses=_FRAME, response_class=Response)
    def of_camera(camera_id: str, at: _At) -> Response:
        """The frame of a camera at a moment, with the boxes and ids in it, at most 1280 pixels
        wide: from the video of a run with `--save-video` that has finished.
        """
        archive = site.archive
        spans = {} if archive is None else kept_spans(archive)
        if archive is None or not is_kept(spans, camera_id, at):
            raise _not_kept(f"camera {camera_id}")
        return _jpeg(_frame(archive, spans, camera_id, at))

    @data.get("/identities/{global_id}/moment.jpg", responses=_FRAME, response_class=Response)
    def of_person(global_id: _Id, at: _At, camera: str | None = None) -> Response:
        """The frame that shows a person at a moment, with their box: in one camera, or in that
        which shows them largest. See `/cameras/{camera_id}/moment.jpg`.
        """
        archive = site.archive
        spans = {} if archive is None else kept_spans(archive)
        seen = None if archive is None else _seen(archive, spans, global_id, at, camera)
        if archive is None or seen is None:
            raise _not_kept(f"person {global_id}")
        image = _frame(archive, spans, seen.camera_id, at)
        draw_people(image, [(global_id, seen.box)])
        return _jpeg(image)


def _not_kept(what: str) -> HTTPException:
    return HTTPException(
        404,
        f"no video shows {what} at this moment: expected a moment of a finished run that was "
        "made with --save-video",
    )


def kept_spans(archive: Archive) -> Spans:
    """The videos that the run keeps."""
    return {
        camera.camera_id: (camera.start, camera.end)
        for camera in archive.cameras()
        if file_inside(archive.folder, f"video/{camera.camera_id}.mp4") is not None
    }


def is_kept(spans: Spans, camera_id: str | None, at: float) -> bool:
    """Whether this moment of a camera is in one of the `kept_spans`; None: of any camera."""
    these = spans.values() if camera_id is None else [spans.get(camera_id, (math.inf, -math.inf))]
    return any(start <= at <= end for start, end in these)


def _frame(archive: Archive, spans: Spans, camera_id: str, at: float) -> Image:
    start, _ = spans[camera_id]
    return frame_at(archive.folder / "video" / f"{camera_id}.mp4", at - start)[1]


def _jpeg(image: Image) -> Response:
    scale = min(_WIDEST_PX / image.shape[1], 1.0)
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return Response(cv2.imencode(".jpg", small)[1].tobytes(), media_type="image/jpeg")


def _seen(
    archive: Archive, spans: Spans, global_id: int, at: float, camera_id: str | None
) -> _Seen | None:
    """Where a video shows a person at a moment; None for nowhere."""
    shown = archive.selection
    cameras = frozenset(
        name for name in spans if camera_id in (None, name) and is_kept(spans, name, at)
    )
    since, until = shown.clipped(at - _NEAR_S, math.nextafter(at, math.inf))
    if since >= until or not cameras:
        return None
    near = replace(shown, since=since, until=until, cameras=cameras)
    rows = RunDirectory(archive.folder, near).trajectories().filter(global_id=global_id)
    area = (pl.col("x2") - pl.col("x1")) * (pl.col("y2") - pl.col("y1"))
    last = rows.sort("timestamp").unique("camera_id", keep="last").sort(area).tail(1)
    for name, *box in last.select("camera_id", "x1", "y1", "x2", "y2").iter_rows():
        return _Seen(name, (box[0], box[1], box[2], box[3]))
    return None
