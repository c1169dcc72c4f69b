"""The endpoints with a picture of each track of a person, where the run keeps thumbnails."""

from functools import partial
from typing import Annotated, Any

import polars as pl
from fastapi import APIRouter, HTTPException, Path, Query, Response

from pipeline.api.archive import Archive, tracks_of_one
from pipeline.api.schemas import Problem, ThumbnailAnswer, ThumbnailsAnswer
from pipeline.api.shown import ShownSite
from pipeline.run_directory.layout import file_inside
from pipeline.run_directory.row_groups import steadily

_MOST_ID = 2**63 - 1
_Id = Annotated[int, Path(ge=0, le=_MOST_ID)]
_Moment = Annotated[float, Query(allow_inf_nan=False, description="Seconds UTC.")]
_Count = Annotated[int, Query(ge=1, le=1000, description="Maximum number, best first.")]
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {}}},
    404: {"model": Problem, "description": "This track has no picture."},
}


def add_thumbnails(data: APIRouter, site: ShownSite) -> None:
    """Add the endpoints."""

    @data.get("/identities/{global_id}/thumbnails")
    def thumbnails(global_id: _Id, limit: _Count = 100) -> ThumbnailsAnswer:
        """A picture of each closed track of a person, by time; none without `--out RUN`.

        A track that shows several people in turn has none here, because its picture may show
        either. An unknown person has none.
        """
        if site.archive is None:
            return ThumbnailsAnswer([])
        found = steadily(partial(_thumbnails_of, site.archive, global_id))
        found = found.sort("quality", descending=True).head(limit).sort("start", "camera_id")
        return ThumbnailsAnswer([_answer(row) for row in found.iter_rows(named=True)])

    @data.get(
        "/identities/{global_id}/thumbnail.jpg", responses=_RESPONSES, response_class=Response
    )
    def of_moment(global_id: _Id, at: _Moment, camera: str | None = None) -> Response:
        """The picture of a person at a moment: that of the track they were in, or the nearest in
        time, in one camera or in any.
        """
        jpeg = None if site.archive is None else _nearest(site.archive, global_id, at, camera)
        if jpeg is None:
            raise HTTPException(
                404, f"no picture of person {global_id} is kept{f' by {camera}' if camera else ''}"
            )
        return Response(jpeg, media_type="image/jpeg")

    @data.get(
        "/thumbnails/{camera_id}/{track_id}.jpg", responses=_RESPONSES, response_class=Response
    )
    def thumbnail(camera_id: str, track_id: _Id) -> Response:
        """The picture of a track."""
        jpeg = None if site.archive is None else _read(site.archive, camera_id, track_id)
        if jpeg is None:
            raise HTTPException(
                404,
                f"track {track_id} of camera {camera_id} has no picture: expected a closed track "
                "of a run with recording.thumbnails: true",
            )
        return Response(jpeg, media_type="image/jpeg")


def _thumbnails_of(archive: Archive, global_id: int) -> pl.DataFrame:
    return archive.thumbnails_of(tracks_of_one(archive, global_id))


def _nearest(archive: Archive, global_id: int, at: float, camera_id: str | None) -> bytes | None:
    found = steadily(partial(_thumbnails_of, archive, global_id))
    if camera_id is not None:
        found = found.filter(camera_id=camera_id)
    away = pl.max_horizontal(pl.col("start") - at, at - pl.col("end"), pl.lit(0.0))
    names = found.sort(away, "start", "camera_id")["thumbnail"]
    return None if names.is_empty() else _bytes_of(archive, str(names[0]))


def _answer(row: dict[str, Any]) -> ThumbnailAnswer:
    camera_id, track_id = row["camera_id"], row["track_id"]
    url = f"thumbnails/{camera_id}/{track_id}.jpg"
    return ThumbnailAnswer(camera_id, track_id, row["start"], row["end"], url)


def _read(archive: Archive, camera_id: str, track_id: int) -> bytes | None:
    key = {"camera_id": [camera_id], "track_id": [track_id]}
    keys = pl.DataFrame(key, schema={"camera_id": pl.String, "track_id": pl.Int64})
    found = steadily(partial(archive.thumbnails_of, keys))
    if found.is_empty():
        return None
    return _bytes_of(archive, str(found["thumbnail"][0]))


def _bytes_of(archive: Archive, name: str) -> bytes | None:
    path = file_inside(archive.folder, name)
    try:
        return None if path is None else path.read_bytes()
    except OSError:
        return None
