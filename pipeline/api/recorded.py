"""A run directory as the API shows it without Redis: its end is now, videos are its pictures.

It is read for each request, so that what is forgotten or corrected meanwhile is so here too.
"""

import math
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio.to_thread
import cv2
import polars as pl
from msgspec import structs

from pipeline.analytics.places import ZONE
from pipeline.analytics.statistics import Statistics, statistics_of
from pipeline.api.archive import Archive
from pipeline.api.camera_states import Cameras
from pipeline.api.events import Events
from pipeline.api.recent_people import PART_COLUMNS, TRACK_COLUMNS, RecentRows
from pipeline.api.schemas import (
    BoxAnswer,
    CameraAnswer,
    CountsAnswer,
    LineCount,
    PersonAnswer,
    ZoneCount,
)
from pipeline.api.viewer import mjpeg_part
from pipeline.bus.pictures import Picture, PictureKind
from pipeline.bus.streams import Bus
from pipeline.config.schema import SiteConfig
from pipeline.pictures.video import frame_at
from pipeline.run_directory.layout import observation_folders
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.row_groups import steadily
from pipeline.run_directory.schema import CameraRecord

# Whoever was in a zone so shortly before the end was there at the end, as `analytics.live` has it.
_GONE_S = 5.0
_TRACK = ["camera_id", "track_id"]


class RecordedSite:
    """The run in ``archive``, a run directory, with the zones and lines of ``config``."""

    is_live = False
    bus: Bus | None = None
    reachable = True

    def __init__(self, config: SiteConfig, archive: Archive) -> None:
        self.name = config.site
        self.events = Events()
        self.config = config
        self._archive = archive
        self._counted: tuple[object, Statistics] | None = None

    @property
    def archive(self) -> Archive:
        """The run directory."""
        return self._archive

    def cameras(self) -> list[CameraAnswer]:
        """All cameras, by name."""
        found = Cameras({})
        for camera in self._archive.cameras():
            found.update(_ended(camera), 0.0, None)
        return found.all(0.0)

    def now(self) -> float | None:
        """The end of the run, or of what is shown of it, seconds UTC; None without a frame."""
        ends = [camera.end for camera in self._archive.cameras() if camera.frames]
        return min(max(ends), self._archive.selection.until) if ends else None

    def people_since(self, moment: float) -> list[PersonAnswer]:
        """All people seen after ``moment``, seconds UTC, by global id, where they were last."""
        shown = self._archive.selection
        since = replace(shown, since=max(shown.since, moment))
        rows = RunDirectory(self._archive.folder, since).trajectories()
        last = (
            rows.filter(pl.col("global_id").is_not_null())
            .sort("timestamp", "confidence")
            .unique("global_id", keep="last", maintain_order=True)
            .sort("global_id")
        )
        starts = steadily(partial(self._starts, last.select(_TRACK)))
        return [_person(row, starts) for row in last.iter_rows(named=True)]

    def observed(self, camera_id: str) -> float:
        """Before everything: the last pictures have their boxes drawn in."""
        return -math.inf

    def boxes_at(self, camera_id: str, timestamp: float) -> list[BoxAnswer]:
        """None."""
        return []

    def counts(self) -> CountsAnswer:
        """The people in each zone at the end, and the crossings of each line in the whole run."""
        found, now = self._statistics(), self.now()
        end = -math.inf if now is None else now
        there = found.visits.filter(pl.col("end") >= end - _GONE_S, kind=ZONE)
        zones = {name: there.filter(place=name)["global_id"].unique() for name in self.config.zones}
        return CountsAnswer(
            now,
            [ZoneCount(name, len(ids), sorted(ids)) for name, ids in zones.items()],
            [
                LineCount(*row)
                for row in found.lines.select("line", "direction", "times").iter_rows()
            ],
        )

    def recent_rows(self) -> RecentRows:
        """None: everything is in the run directory."""
        return RecentRows(pl.DataFrame(schema=PART_COLUMNS), pl.DataFrame(schema=TRACK_COLUMNS), ())

    def _starts(self, keys: pl.DataFrame) -> dict[tuple[str, int], list[float]]:
        """When these tracks and their parts began, seconds UTC."""
        found: dict[tuple[str, int], list[float]] = {}
        tracks = self._archive.tracks_of(keys).select(*_TRACK, "start")
        parts = self._archive.parts_of(keys).select(*_TRACK, start="since")
        for camera_id, track_id, start in pl.concat([tracks, parts]).iter_rows():
            found.setdefault((camera_id, track_id), []).append(start)
        return found

    def _statistics(self) -> Statistics:
        state = _state_of(self._archive.folder)
        if self._counted is None or self._counted[0] != state:
            run = RunDirectory(self._archive.folder, self._archive.selection)
            self._counted = state, statistics_of(run, self.config)
        return self._counted[1]


def _ended(camera: CameraRecord) -> CameraRecord:
    if camera.state != "running":
        return camera
    return structs.replace(camera, state="partial", detail="the run was not ended")


def _state_of(folder: Path) -> list[int]:
    """What changes when a table of the run directory is rewritten."""
    folders = [folder / "identities", *observation_folders(folder).values()]
    return [path.stat().st_mtime_ns for path in folders if path.is_dir()]


def _person(row: dict[str, object], starts: dict[tuple[str, int], list[float]]) -> PersonAnswer:
    key, seen = (str(row["camera_id"]), int(str(row["track_id"]))), float(str(row["timestamp"]))
    x, y = row["ground_x"], row["ground_y"]
    return PersonAnswer(
        global_id=int(str(row["global_id"])),
        camera_id=key[0],
        track_id=key[1],
        confidence=float(str(row["confidence"])),
        since=max((at for at in starts.get(key, []) if -math.inf < at <= seen), default=seen),
        last_seen=seen,
        box=(row["x1"], row["y1"], row["x2"], row["y2"]),  # type: ignore[arg-type]
        ground=None if x is None or y is None else (x, y),  # type: ignore[arg-type]
    )


class RecordedPictures:
    """The last picture of each video in the run directory at ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def viewer(self, camera_id: str, kind: PictureKind) -> "RecordedViewer":
        """A viewer of one camera. Boxes are as they are in the video."""
        return RecordedViewer(self._folder, camera_id)

    def newer(self, known: Mapping[str, float | None]) -> dict[str, Picture]:
        """The last picture of each of these cameras of which none is known."""
        unknown = [camera_id for camera_id, timestamp in known.items() if timestamp is None]
        found = {camera_id: last_picture(self._folder, camera_id) for camera_id in unknown}
        return {camera_id: picture for camera_id, picture in found.items() if picture is not None}

    def missing(self, camera: CameraAnswer) -> str:
        """Why a camera has no picture, and what was expected."""
        return (
            f"camera {camera.id} has no picture: {self._folder} has no video of it. Expected a run "
            "with videos, as of `fusetrack run --save-video`"
        )


class RecordedViewer:
    """A viewer of the last picture of a video, which it gets once."""

    def __init__(self, folder: Path, camera_id: str) -> None:
        self._folder = folder
        self._camera_id = camera_id
        self._seen = False

    async def next(self, timeout_s: float | None = None) -> Picture | None:
        """The picture; None without a video, and when it was given before."""
        if self._seen:
            return None
        self._seen = True
        return await anyio.to_thread.run_sync(last_picture, self._folder, self._camera_id)

    async def stream(self, first: Picture) -> AsyncIterator[bytes]:
        """``first`` as an MJPEG stream."""
        yield mjpeg_part(first)


def last_picture(folder: Path, camera_id: str) -> Picture | None:
    """The last picture of the video of a camera in the run directory ``folder``; None without one.

    Raises UserError when the video is damaged.
    """
    cameras = {camera.camera_id: camera for camera in Archive(folder).cameras()}
    path, camera = folder / "video" / f"{camera_id}.mp4", cameras.get(camera_id)
    if camera is None or not path.is_file():
        return None
    second, image = frame_at(path, math.inf)
    _, jpeg = cv2.imencode(".jpg", image)
    return Picture(camera.start + second, jpeg.tobytes())
