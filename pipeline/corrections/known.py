"""What is known of the people of a run: their parts of tracks, and who is no longer there."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.run_directory.corrections import read_corrections
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.row_groups import read, row_groups, span_of, steadily
from pipeline.run_directory.schema import IDENTITIES, TRACKLETS
from trackers.association.corrections import Part
from trackers.tracklet import TrackletKey

_TRACK = ["camera_id", "track_id"]
_PARTS = [*_TRACK, "since", "global_id"]
_TRACKS = [*_TRACK, "start", "end"]


@dataclass(frozen=True, slots=True)
class Recent:
    """What may not be in the run directory yet; both override it.

    ``parts`` has camera_id, track_id, since (seconds UTC, -inf for the start of a track) and
    global_id; ``tracks`` camera_id, track_id, start and end.
    """

    parts: pl.DataFrame
    tracks: pl.DataFrame


class KnownPeople:
    """The people of the run directory ``folder``, and of what is ``recent``.

    Raises UserError when a file is damaged.
    """

    def __init__(self, folder: Path, recent: Recent | None = None) -> None:
        self._folder = folder
        self._recent = recent or Recent(
            pl.DataFrame(schema=read([], IDENTITIES, _PARTS).schema),
            pl.DataFrame(schema=read([], TRACKLETS, _TRACKS).schema),
        )

    def parts_of(self, global_ids: Iterable[int]) -> list[Part]:
        """The parts of tracks of these people now, by camera, track and time."""
        wanted = sorted(set(global_ids))
        parts = self.parts_of_tracks(self.tracks_once(wanted))
        return [part for part in parts if part.global_id in wanted]

    def tracks_once(self, global_ids: Iterable[int]) -> set[TrackletKey]:
        """The tracks of which a part is, or ever was, one of these people."""
        wanted = list(global_ids)
        found = [self._recent.parts, *(steadily(partial(self._events_of, one)) for one in wanted)]
        rows = pl.concat([one.select(_PARTS) for one in found])
        rows = rows.filter(pl.col("global_id").is_in(wanted)).select(_TRACK).unique()
        return {(camera_id, track_id) for camera_id, track_id in rows.iter_rows()}

    def parts_of_tracks(self, tracks: Iterable[TrackletKey]) -> list[Part]:
        """All parts of these tracks, whoever they are, by camera, track and time."""
        keys = pl.DataFrame(
            sorted(tracks), {"camera_id": pl.String, "track_id": pl.Int64}, orient="row"
        )
        if keys.is_empty():
            return []
        parts = steadily(lambda: self._of_tracks("identities", _PARTS, keys))
        parts = parts.with_columns(pl.col("since").fill_null(-math.inf))
        parts = (
            pl.concat([parts, self._recent.parts.select(_PARTS).join(keys, on=_TRACK, how="semi")])
            .unique([*_TRACK, "since"], keep="last", maintain_order=True)
            .sort(*_TRACK, "since")
            .with_columns(until=pl.col("since").shift(-1).over(_TRACK).fill_null(math.inf))
            .join(self._spans(keys), on=_TRACK, how="left")
        )
        return [_part(*row) for row in parts.select(*_PARTS, "until", "start", "end").iter_rows()]

    def links_of(self, global_id: int) -> pl.DataFrame:
        """The identity events, oldest first, that made the tracks of a person theirs."""
        columns = [name for name in IDENTITIES.names if name != "time"]
        parts = self.parts_of([global_id])
        tracks = sorted({part.key[:2] for part in parts})
        keys = pl.DataFrame(tracks, {"camera_id": pl.String, "track_id": pl.Int64}, orient="row")
        if keys.is_empty():
            return read([], IDENTITIES, columns)
        events = steadily(lambda: self._of_tracks("identities", columns, keys))
        return events.filter(pl.col("global_id") == global_id)

    def highest_id(self) -> int:
        """The highest global id that was ever given, as far as is known; 0 without any."""
        on_disk = span_of(row_groups(self._folder / "identities"), "global_id")[1]
        recent = self._recent.parts["global_id"].max()
        forgotten = read_corrections(self._folder).forgotten_id
        return int(max(on_disk, int(str(recent)) if recent is not None else 0, forgotten))

    def latest(self) -> float:
        """The latest moment of event time with a decision, seconds UTC; -inf without any."""
        return float(span_of(row_groups(self._folder / "identities"), "at")[1])

    def _events_of(self, global_id: int) -> pl.DataFrame:
        groups = row_groups(self._folder / "identities", global_id=(global_id, global_id))
        parts = [
            read([group], IDENTITIES, _PARTS).filter(pl.col("global_id") == global_id)
            for group in groups
        ]
        return pl.concat([read([], IDENTITIES, _PARTS), *parts])

    def _of_tracks(self, name: str, columns: list[str], keys: pl.DataFrame) -> pl.DataFrame:
        schema = IDENTITIES if name == "identities" else TRACKLETS
        ids = np.sort(keys["track_id"].to_numpy())
        cameras = str(keys["camera_id"].min()), str(keys["camera_id"].max())
        rows = [
            read([group], schema, columns).join(keys, on=_TRACK, how="semi")
            for group in row_groups(self._folder / name, camera_id=cameras)
            if group.holds_any("track_id", ids)
        ]
        return pl.concat([read([], schema, columns), *rows])

    def _spans(self, keys: pl.DataFrame) -> pl.DataFrame:
        """When each track was seen; from its observations where it never closed."""
        closed = steadily(lambda: self._of_tracks("tracklets", _TRACKS, keys))
        recent = self._recent.tracks.select(_TRACKS).join(keys, on=_TRACK, how="semi")
        found = pl.concat([closed, recent])
        missing = keys.join(found, on=_TRACK, how="anti")
        found = pl.concat([found, *(self._observed(*row) for row in missing.iter_rows())])
        return found.group_by(_TRACK).agg(pl.col("start").min(), pl.col("end").max())

    def _observed(self, camera_id: str, track_id: int) -> pl.DataFrame:
        rows = RunDirectory(self._folder).observations_of(
            camera_id, np.array([track_id]), ["track_id", "timestamp"]
        )
        time = pl.col("timestamp")
        spans = rows.group_by("track_id").agg(start=time.min(), end=time.max())
        return spans.with_columns(camera_id=pl.lit(camera_id)).select(_TRACKS)


def _part(
    camera_id: str,
    track_id: int,
    since: float,
    global_id: int,
    until: float,
    start: float | None,
    end: float | None,
) -> Part:
    """A part of a track; of one that was never seen only the limits are known."""
    first = since if start is None else max(start, since)
    last = until if end is None else min(end, until)
    return Part(
        camera_id, track_id, since if math.isfinite(since) else None, first, last, global_id
    )
