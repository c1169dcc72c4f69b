"""Removes a person from a run directory.

The identity events, which link tracks to the person, are removed last: after a crash the same call
can be repeated and removes the rest.
"""

import math
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.bus.messages import ForgetMessage
from pipeline.config.schema import CameraConfig
from pipeline.errors import UserError
from pipeline.pictures.blur import Boxes, boxes_to_blur
from pipeline.pictures.render import Image, cover_people
from pipeline.pictures.video import write_video
from pipeline.recorder.forgotten import ForgottenParts
from pipeline.run_directory import schema
from pipeline.run_directory.corrections import read_corrections, write_corrections
from pipeline.run_directory.layout import check_contained, contained, observation_folders
from pipeline.run_directory.reader import RunDirectory, no_observations
from pipeline.run_directory.rewriting import Removed, remove_all, remove_derived, rewrite_all
from pipeline.run_directory.row_groups import RowGroup
from pipeline.run_directory.schema import Mask, TrackPart
from pipeline.run_directory.selection import Selection
from pipeline.sources import open_source
from pipeline.sources.source import Frame
from trackers.tracklet import TrackletKey


@dataclass(frozen=True, slots=True)
class ForgottenPerson:
    """The tracks of a person: ``parts`` are the parts of tracks assigned to them.

    ``shared`` are the tracks that are partly assigned to others, with ``(first, last, count)`` of
    the remaining observations (seconds UTC), None when none remain. ``events`` are the parts, by
    camera, track and ``since``, of which the events are removed too; None for all of the person.
    """

    global_id: int
    parts: list[TrackPart]
    shared: dict[TrackletKey, tuple[float, float, int] | None] = field(default_factory=dict)
    events: set[tuple[str, int, float | None]] | None = None

    def shared_row(self, row: dict[str, object]) -> dict[str, object] | None:
        """The row of a track of this person as it remains; None when nothing does."""
        left = self.shared.get((str(row["camera_id"]), int(str(row["track_id"]))))
        if left is None:
            return None
        start, end, count = left
        time = datetime.fromtimestamp(start, UTC)
        return {
            **row,
            **{"time": time, "start": start, "end": end, "n": count},
            **dict.fromkeys(("embedding", "thumbnail", "text_vector", "visibilities")),
        }


def find_person(run: RunDirectory, global_id: int) -> ForgottenPerson:
    """Find the tracks of a person in a run, or what of them is in its selection.

    Raises UserError when the global id is unknown or the run directory is damaged.
    """
    identities = run.identities()
    parts, shared = _parts(identities, global_id)
    if not parts:
        raise UserError(_unknown(run, identities, global_id))
    if run.selection.is_everything:
        return ForgottenPerson(global_id, parts, _left_of(run, parts, shared))
    return _selected(run, global_id, parts, shared)


def _selected(
    run: RunDirectory, global_id: int, parts: list[TrackPart], shared: set[TrackletKey]
) -> ForgottenPerson:
    seen = _seen(run, {part.key for part in parts})
    clipped = {part: _clipped(part, run.selection) for part in parts if part.key in seen}
    chosen = {part: within for part, within in clipped.items() if within is not None}
    if not chosen:
        raise UserError(
            f"{run.path} has no rows of identity {global_id} at this time and in these cameras: "
            "give other --since, --until or --camera, or none"
        )
    shared = {key for key in shared if key in {part.key for part in chosen}}
    shared |= {part.key for part, within in chosen.items() if within != part}
    left = _left_of(RunDirectory(run.path), list(chosen.values()), shared)
    # Who a track was stays known where some of the person's part remains.
    events = {
        (*part.key, part.first)
        for part, within in chosen.items()
        if within == part or left[part.key] is None
    }
    return ForgottenPerson(global_id, list(chosen.values()), left, events)


def _seen(run: RunDirectory, keys: set[TrackletKey]) -> set[TrackletKey]:
    """Those of these tracks that have observations in the selection."""
    seen: set[TrackletKey] = set()
    for camera_id in {camera_id for camera_id, _ in keys}:
        ids = _ids(track_id for name, track_id in keys if name == camera_id)
        rows = run.observations_of(camera_id, ids, ["track_id", "timestamp"])
        seen |= {(camera_id, track_id) for track_id in rows["track_id"].unique()}
    return seen


def _clipped(part: TrackPart, selection: Selection) -> TrackPart | None:
    first = -math.inf if part.first is None else part.first
    before = math.inf if part.before is None else part.before
    first, before = selection.clipped(first, before)
    if first >= before:
        return None
    return TrackPart(part.camera_id, part.track_id, _finite(first), _finite(before))


def remove_person(
    run: RunDirectory,
    person: ForgottenPerson,
    *,
    dry: bool = False,
    alive: Callable[[], None] = lambda: None,
) -> Removed:
    """Remove a person from the tables and thumbnails of a run; returns what was removed.

    The caller must be the only writer of the folder. Videos are not changed, see `blur_in_videos`.
    A track shared with others loses its embedding and thumbnail, because they may be of this
    person. With ``dry`` nothing is changed; ``alive`` is called all along. Raises OSError, and
    UserError for a damaged segment and for a thumbnail that is not inside the run directory.
    """
    check_contained(run.path)
    removed: Removed = Counter()
    removed["thumbnails"] = remove_all(_thumbnails(run, person), dry=dry)
    removed += _tracklets(run.path, person, dry, alive)
    removed += remove_derived(run.path, dry=dry)
    removed["observations"] += _observations_removed(run.path, person, dry, alive)
    if person.events is None:
        removed["corrections"] += _corrections(run.path, person, dry)
    removed["identity events"] += _events(run.path, person, dry, alive)
    return +removed


def _observations_removed(
    root: Path, person: ForgottenPerson, dry: bool, alive: Callable[[], None]
) -> int:
    forgotten, folders, count = ForgottenParts(person.parts), observation_folders(root), 0
    for camera_id in sorted({part.camera_id for part in person.parts} & folders.keys()):
        ids = _ids(part.track_id for part in person.parts if part.camera_id == camera_id)

        def left(rows: pa.Table, camera_id: str = camera_id) -> pa.Table:
            return forgotten.filter_observations(camera_id, rows)

        def touched(group: RowGroup, ids: NDArray[np.int64] = ids) -> bool:
            return group.holds_any("track_id", ids)

        folder = folders[camera_id]
        count += rewrite_all(
            folder, schema.OBSERVATIONS, left, touched=touched, alive=alive, dry=dry
        )
    return count


def _ids(numbers: Iterable[int]) -> NDArray[np.int64]:
    return np.array(sorted(set(numbers)), np.int64)


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
    key = ["camera_id", "track_id"]
    its = identities.filter(pl.col("global_id") == global_id).select(key).unique()
    rows = identities.join(its, on=key, how="semi", maintain_order="left")
    tracks = rows.partition_by("camera_id", "track_id", maintain_order=True)
    parts: list[TrackPart] = []
    shared: set[TrackletKey] = set()
    for track in tracks:
        owners = track["global_id"].to_list()
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
    for camera_id in sorted({camera_id for camera_id, _ in shared}):
        ids = _ids(track_id for name, track_id in shared if name == camera_id)
        rows = run.observations_of(camera_id, ids, ["track_id", "timestamp"])
        rest = pl.from_arrow(forgotten.filter_observations(camera_id, rows.to_arrow()))
        assert isinstance(rest, pl.DataFrame)
        time = pl.col("timestamp")
        spans = rest.group_by("track_id").agg(first=time.min(), last=time.max(), n=pl.len())
        for track_id, first, last, count in spans.iter_rows():
            left[camera_id, track_id] = first, last, count
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


def _tracklets(
    folder: Path, person: ForgottenPerson, dry: bool, alive: Callable[[], None]
) -> Removed:
    keys = {part.key for part in person.parts} | person.shared.keys()
    removed: Removed = Counter()

    def left(rows: pa.Table) -> pa.Table:
        touched = _of_tracks(rows, keys)
        if not touched.any():
            return rows
        theirs = rows.filter(pa.array(touched))
        removed["embeddings"] += len(theirs) - theirs["embedding"].null_count
        shared = [row for row in map(person.shared_row, theirs.to_pylist()) if row is not None]
        rest = rows.filter(pa.array(~touched))
        return pa.concat_tables([rest, pa.Table.from_pylist(shared, schema.TRACKLETS)])

    removed["tracklets"] += rewrite_all(
        folder / "tracklets",
        schema.TRACKLETS,
        left,
        touched=_may_hold(keys),
        alive=alive,
        dry=dry,
    )
    return removed


def _of_tracks(rows: pa.Table, keys: Set[TrackletKey]) -> Mask:
    """Mask ``(N,)`` of the N ``rows`` that are about one of these tracks."""
    ids = np.asarray(rows["track_id"].to_numpy())
    mask = np.isin(ids, _ids(track_id for _, track_id in keys))
    cameras = rows["camera_id"]
    for row in np.flatnonzero(mask):
        mask[row] = (cameras[int(row)].as_py(), int(ids[row])) in keys
    return np.asarray(mask, bool)


def _may_hold(keys: Set[TrackletKey]) -> Callable[[RowGroup], bool]:
    """Whether a row group may be about one of these tracks, by its statistics."""
    ids = _ids(track_id for _, track_id in keys)
    return lambda group: group.holds_any("track_id", ids)


def _thumbnails(run: RunDirectory, person: ForgottenPerson) -> list[Path]:
    """The thumbnails of a person, including files that no tracklet names after a crash.

    Raises UserError when one is not inside the run directory.
    """
    keys = {part.key for part in person.parts}
    rows = run.tracklets(["camera_id", "track_id", "thumbnail"]).drop_nulls("thumbnail")
    rows = rows.filter(pl.col("track_id").is_in([track_id for _, track_id in keys]))
    names = {name for *key, name in rows.iter_rows() if tuple(key) in keys}
    names |= {f"thumbnails/{camera_id}/{track_id}.jpg" for camera_id, track_id in keys}
    return [contained(run.path, name) for name in sorted(names)]


def _corrections(folder: Path, person: ForgottenPerson, dry: bool) -> int:
    """Remove the corrections of a person, with their name."""
    before = read_corrections(folder)
    after = before.without_person(person.global_id, person.parts)
    if after != before and not dry:
        write_corrections(folder, after)
    return len(before.history) - len(after.history)


def _events(folder: Path, person: ForgottenPerson, dry: bool, alive: Callable[[], None]) -> int:
    """Remove all events on the person's parts of tracks and with their global id."""
    keys = {part.key for part in person.parts}
    everything = person.events is None
    theirs = person.events or {(*part.key, part.first) for part in person.parts if everything}
    of_tracks = _may_hold(keys)

    def left(rows: pa.Table) -> pa.Table:
        gone = (np.asarray(rows["global_id"].to_numpy()) == person.global_id) & everything
        for row in np.flatnonzero(_of_tracks(rows, keys) & ~gone):
            camera_id, track_id, since = (rows[name][int(row)].as_py() for name in _PART)
            gone[row] = (camera_id, track_id, since) in theirs
        return rows.filter(pa.array(~gone)) if gone.any() else rows

    def touched(group: RowGroup) -> bool:
        person_id = person.global_id
        return group.overlaps("global_id", person_id, person_id) or of_tracks(group)

    return rewrite_all(
        folder / "identities", schema.IDENTITIES, left, touched=touched, alive=alive, dry=dry
    )


_PART = ("camera_id", "track_id", "since")


def videos_with(run: RunDirectory, parts: list[TrackPart]) -> dict[str, Path]:
    """The existing videos of the cameras of these parts of tracks, by camera."""
    cameras = sorted({part.camera_id for part in parts})
    paths = {name: contained(run.path, f"video/{name}.mp4") for name in cameras}
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
    forgotten, found = ForgottenParts(parts), [no_observations()]
    for camera_id in sorted({part.camera_id for part in parts}):
        ids = _ids(part.track_id for part in parts if part.camera_id == camera_id)
        rows = run.observations_of(camera_id, ids)
        theirs = pl.Series(forgotten.mask(camera_id, rows.to_arrow()), dtype=pl.Boolean)
        found.append(rows.filter(theirs).select(pl.lit(camera_id).alias("camera_id"), pl.all()))
    return pl.concat(found)


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


def forget_recorded(
    folder: Path, request: ForgetMessage, alive: Callable[[], None] = lambda: None
) -> tuple[ForgetResult, list[TrackPart]]:
    """Remove a person on request of the associator; all earlier messages must be on disk.

    ``alive`` is called all along. Returns the result, and the parts of tracks of which messages may
    still arrive. Raises OSError, and UserError for a damaged run directory.
    """
    run = RunDirectory(folder)
    before = math.nextafter(request.at, math.inf)
    known = _known(run, request.tracks)
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
        run,
        ForgottenPerson(person.global_id, [*person.parts, *unknown], person.shared),
        alive=alive,
    )
    return ForgetResult(dict(removed)), parts


def _known(run: RunDirectory, keys: Iterable[TrackletKey]) -> set[TrackletKey]:
    """Those of these tracks that have an identity."""
    wanted = set(keys)
    ids = [track_id for _, track_id in wanted]
    rows = run.identities().filter(pl.col("track_id").is_in(ids)).select("camera_id", "track_id")
    return {(camera_id, track_id) for camera_id, track_id in rows.iter_rows()} & wanted
