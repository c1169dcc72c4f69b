"""Removes a person from a run directory.

The identity events, which link tracks to the person, are removed last: after a crash the same call
can be repeated and removes the rest.
"""

import math
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa

from pipeline.bus.messages import ForgetMessage
from pipeline.config.schema import CameraConfig
from pipeline.errors import UserError
from pipeline.frame import Frame
from pipeline.pictures.blur import Boxes, boxes_to_blur
from pipeline.pictures.render import Image, cover_people
from pipeline.pictures.video import write_video
from pipeline.recorder.forgotten import ForgottenParts
from pipeline.run_directory import schema
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.rewriting import Removed, remove_all, remove_derived, rewrite_all
from pipeline.run_directory.schema import TrackPart
from pipeline.sources import open_source
from trackers.tracklet import TrackletKey


@dataclass(frozen=True, slots=True)
class ForgottenPerson:
    """The tracks of a person: ``parts`` are the parts of tracks assigned to them.

    ``shared`` are the tracks that are partly assigned to others, with ``(first, last, count)`` of
    the remaining observations (seconds UTC), None when none remain.
    """

    global_id: int
    parts: list[TrackPart]
    shared: dict[TrackletKey, tuple[float, float, int] | None] = field(default_factory=dict)


def find_person(run: RunDirectory, global_id: int) -> ForgottenPerson:
    """Find the tracks of a person in a run.

    Raises UserError when the global id is unknown or the run directory is damaged.
    """
    identities = run.identities()
    parts, shared = _parts(identities, global_id)
    if not parts:
        raise UserError(_unknown(run, identities, global_id))
    return ForgottenPerson(global_id, parts, _left_of(run, parts, shared) if shared else {})


def remove_person(run: RunDirectory, person: ForgottenPerson, *, dry: bool = False) -> Removed:
    """Remove a person from the tables and thumbnails of a run; returns what was removed.

    The caller must be the only writer of the folder. Videos are not changed, see `blur_in_videos`.
    A track shared with others loses its embedding and thumbnail, because they may be of this
    person. With ``dry`` nothing is changed. Raises OSError, and UserError for a damaged segment.
    """
    forgotten = ForgottenParts(person.parts)
    removed: Removed = Counter()
    removed["thumbnails"] = remove_all(_thumbnails(run, person), dry=dry)
    removed += _tracklets(run.path, person, dry=dry)
    removed += remove_derived(run.path, dry=dry)
    for folder in sorted((run.path / "observations").glob("camera=*")):
        camera_id = folder.name.removeprefix("camera=")

        def left(rows: pa.Table, camera_id: str = camera_id) -> pa.Table:
            return forgotten.filter_observations(camera_id, rows)

        removed["observations"] += rewrite_all(folder, schema.OBSERVATIONS, left, dry=dry)
    removed["identity events"] += _events(run.path, person, dry=dry)
    return +removed


def remove_leftovers(folder: Path, *, dry: bool = False) -> Removed:
    """Remove what a killed run left behind: partial files and its embedded Redis.

    No process may be using ``folder``. Raises OSError.
    """
    removed: Removed = Counter()
    partial = [path for path in folder.rglob("*.partial*") if path.is_file()]
    removed["partial files"] = remove_all(partial, dry=dry)
    redis = folder / "redis"
    if redis.is_dir():
        removed["Redis files"] = sum(path.is_file() for path in redis.iterdir())
        if not dry:
            shutil.rmtree(redis)
    return +removed


def _parts(identities: pl.DataFrame, global_id: int) -> tuple[list[TrackPart], set[TrackletKey]]:
    """The parts of tracks assigned to a person, and those of their tracks shared with others."""
    tracks = identities.partition_by("camera_id", "track_id", maintain_order=True)
    parts: list[TrackPart] = []
    shared: set[TrackletKey] = set()
    for track in tracks:
        owners = track["global_id"].to_list()
        if global_id not in owners:
            continue
        camera_id, track_id = track["camera_id"][0], track["track_id"][0]
        starts = [*track["since"].to_list(), math.inf]
        for owner, (first, before) in zip(owners, pairwise(starts), strict=True):
            if owner == global_id:
                parts.append(TrackPart(camera_id, track_id, _finite(first), _finite(before)))
        if set(owners) != {global_id} or math.isfinite(starts[0]):
            shared.add((camera_id, track_id))
    return parts, shared


def _finite(time: float) -> float | None:
    return time if math.isfinite(time) else None


def _left_of(
    run: RunDirectory, parts: list[TrackPart], shared: set[TrackletKey]
) -> dict[TrackletKey, tuple[float, float, int] | None]:
    """First time, last time and count of the observations of others in shared tracks."""
    forgotten = ForgottenParts(parts)
    left: dict[TrackletKey, tuple[float, float, int] | None] = dict.fromkeys(shared)
    observations = run.observations()
    for camera_id, track_id in shared:
        its = (pl.col("camera_id") == camera_id) & (pl.col("track_id") == track_id)
        rows = observations.filter(its).select("track_id", "timestamp").to_arrow()
        times = np.asarray(forgotten.filter_observations(camera_id, rows)["timestamp"].to_numpy())
        if len(times):
            left[camera_id, track_id] = float(times.min()), float(times.max()), len(times)
    return left


def _unknown(run: RunDirectory, identities: pl.DataFrame, global_id: int) -> str:
    track = ["camera_id", "track_id"]
    once = run.events().filter(pl.col("global_id") == global_id).select(track).unique()
    others = identities.join(once, on=track, how="semi")["global_id"].unique().sort().to_list()
    if others:
        names = " and ".join(map(str, others))
        return f"{run.path}: identity {global_id} was merged into {names}: give that as --identity"
    return (
        f"{run.path} has no identity {global_id}: expected one listed by `fusetrack summary`; a "
        "forgotten identity is no longer in the run"
    )


def _tracklets(folder: Path, person: ForgottenPerson, *, dry: bool) -> Removed:
    whole = {part.key for part in person.parts} - person.shared.keys()
    removed: Removed = Counter()

    def left(rows: pa.Table) -> pa.Table:
        table = rows.to_pylist()
        keys = [(row["camera_id"], row["track_id"]) for row in table]
        touched = [
            row for row, key in zip(table, keys, strict=True) if key in whole | person.shared.keys()
        ]
        if not touched:
            return rows
        removed["embeddings"] += sum(row["embedding"] is not None for row in touched)
        kept = [
            _shared_row(row, person.shared[key]) if key in person.shared else row
            for row, key in zip(table, keys, strict=True)
            if key not in whole and person.shared.get(key, ()) is not None
        ]
        return pa.Table.from_pylist(kept, schema.TRACKLETS)

    removed["tracklets"] += rewrite_all(folder / "tracklets", schema.TRACKLETS, left, dry=dry)
    return removed


def _shared_row(row: dict[str, object], left: tuple[float, float, int] | None) -> dict[str, object]:
    assert left is not None
    start, end, count = left
    return {**row, "start": start, "end": end, "n": count, "embedding": None, "thumbnail": None}


def _thumbnails(run: RunDirectory, person: ForgottenPerson) -> list[Path]:
    """The thumbnails of a person, including files that no tracklet names after a crash."""
    keys = {part.key for part in person.parts}
    named = run.tracklets().filter(pl.col("thumbnail").is_not_null())
    rows = named.select("camera_id", "track_id", "thumbnail").iter_rows()
    names = {name for camera_id, track_id, name in rows if (camera_id, track_id) in keys}
    names |= {f"thumbnails/{camera_id}/{track_id}.jpg" for camera_id, track_id in keys}
    return [run.path / name for name in sorted(names)]


def _events(folder: Path, person: ForgottenPerson, *, dry: bool) -> int:
    """Remove all events on the person's parts of tracks and with their global id."""
    theirs = {(*part.key, part.first) for part in person.parts}

    def left(rows: pa.Table) -> pa.Table:
        keep = [
            row["global_id"] != person.global_id
            and (row["camera_id"], row["track_id"], row["since"]) not in theirs
            for row in rows.to_pylist()
        ]
        return rows if all(keep) else rows.filter(pa.array(keep))

    return rewrite_all(folder / "identities", schema.IDENTITIES, left, dry=dry)


def videos_with(run: RunDirectory, parts: list[TrackPart]) -> dict[str, Path]:
    """The existing videos of the cameras of these parts of tracks, by camera."""
    cameras = sorted({part.camera_id for part in parts})
    paths = {camera_id: run.path / "video" / f"{camera_id}.mp4" for camera_id in cameras}
    return {camera_id: path for camera_id, path in paths.items() if path.is_file()}


def blur_in_videos(run: RunDirectory, parts: list[TrackPart]) -> int:
    """Blur the bodies of these parts of tracks and cover their labels; returns the video count.

    Must run before the observations are removed, which hold the boxes. Each video is rewritten.
    Raises UserError when one cannot be read or written, and then leaves it unchanged.
    """
    videos = videos_with(run, parts)
    if not videos:
        return 0
    rows = _observations(run, parts)
    fps = {camera.camera_id: camera.fps for camera in run.cameras()}
    hidden, labels = boxes_to_blur(rows, fps), boxes_to_blur(rows, fps, fill_gaps=False)
    for camera_id, path in videos.items():
        try:
            write_video(path, _covered(camera_id, path, hidden, labels))
        except OSError as error:
            raise UserError(
                f"cannot write {path}: {error.strerror or error}. The person is still visible in it"
            ) from error
    return len(videos)


def _observations(run: RunDirectory, parts: list[TrackPart]) -> pl.DataFrame:
    forgotten = ForgottenParts(parts)
    cameras = run.observations().partition_by("camera_id", as_dict=True)
    empty = run.observations().clear()
    theirs = [
        rows.filter(pl.Series(forgotten.mask(str(camera_id), rows.to_arrow())))
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


class ForgetResult(msgspec.Struct):
    """What a recorder removed, or why it found nothing."""

    removed: dict[str, int] = {}
    fault: str = ""


def forget_recorded(folder: Path, request: ForgetMessage) -> tuple[ForgetResult, list[TrackPart]]:
    """Remove a person on request of the associator; all earlier messages must be on disk.

    Returns the result, and the parts of tracks of which messages may still arrive. Raises OSError,
    and UserError for a damaged run directory.
    """
    run = RunDirectory(folder)
    before = math.nextafter(request.at, math.inf)
    known = _tracks(run)
    # They were removed from the folder while no recorder was running.
    unknown = [TrackPart(*key, before=before) for key in request.tracks if key not in known]
    try:
        person = find_person(run, request.global_id)
    except UserError as error:
        if not unknown:
            return ForgetResult(fault=str(error)), []
        person = ForgottenPerson(request.global_id, [])
    parts = [*(part.until(before) for part in person.parts), *unknown]
    removed = remove_person(
        run, ForgottenPerson(person.global_id, [*person.parts, *unknown], person.shared)
    )
    return ForgetResult(dict(removed)), parts


def _tracks(run: RunDirectory) -> set[TrackletKey]:
    rows = run.identities().select("camera_id", "track_id").unique().iter_rows()
    return {(camera_id, track_id) for camera_id, track_id in rows}
