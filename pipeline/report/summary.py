"""The content of the report page as plain values, computed from the tables of a run."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import polars as pl

from pipeline.pictures.clock import Clock
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.schema import CameraRecord

_GAP_S = 1.0
_GAP_FRAMES = 3
_SPARK_BINS = 60
_PICTURES_PER_VISIT = 4
_PICTURES_PER_PAGE = 1500

#: global_id, camera_id
_Key = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Visit:
    """One person in one camera.

    ``stays`` are (start, end) in seconds UTC. ``pictures`` are the paths of the best thumbnails,
    relative to the run directory; ``kept`` is the number of all thumbnails.
    """

    camera_id: str
    observations: int
    stays: list[tuple[float, float]]
    pictures: list[str]
    kept: int

    @property
    def start(self) -> float:
        """Start of the first stay, seconds UTC."""
        return self.stays[0][0]

    @property
    def end(self) -> float:
        """End of the last stay, seconds UTC."""
        return self.stays[-1][1]


@dataclass(frozen=True, slots=True)
class PersonSummary:
    """One global id. ``confidence`` is the mean over its observations, ``lowest`` the minimum."""

    global_id: int
    confidence: float
    lowest: float
    visits: list[Visit]

    @property
    def observations(self) -> int:
        """The number of observations in all cameras."""
        return sum(visit.observations for visit in self.visits)

    @property
    def start(self) -> float:
        """Time of the first observation, seconds UTC."""
        return min(visit.start for visit in self.visits)

    @property
    def end(self) -> float:
        """Time of the last observation, seconds UTC."""
        return max(visit.end for visit in self.visits)


@dataclass(frozen=True, slots=True)
class CameraCount:
    """Counts of one camera. ``busiest`` is (people, seconds UTC) of its busiest frame.

    ``over_time`` is the maximum number of people in a frame, for equal intervals of the run.
    """

    camera_id: str
    camera: CameraRecord | None
    people: int
    observations: int
    busiest: tuple[int, float] | None
    over_time: list[int]


@dataclass(frozen=True, slots=True)
class Summary:
    """A whole run. ``unidentified`` counts observations of tracks without an identity."""

    site: str
    clock: Clock
    observations: int
    unidentified: int
    people: list[PersonSummary]
    cameras: list[CameraCount]

    @property
    def has_pictures(self) -> bool:
        """Whether the run has any thumbnail of its people."""
        return any(visit.kept for person in self.people for visit in person.visits)


def summarise(run: RunDirectory) -> Summary:
    """Read a run and summarise it; works on unfinished and killed runs too."""
    trajectories = run.trajectories()
    known = {camera.camera_id: camera for camera in run.cameras()}
    seen = trajectories.filter(pl.col("global_id").is_not_null())
    clock = Clock(*_span(trajectories, known.values()))
    camera_ids = sorted({*known, *trajectories["camera_id"].unique()})
    return Summary(
        site=str(run.config().get("site", "site")),
        clock=clock,
        observations=trajectories.height,
        unidentified=trajectories.height - seen.height,
        people=_people(seen, _pictures(run), _gaps(clock, known, camera_ids)),
        cameras=[_count(name, known.get(name), trajectories, clock) for name in camera_ids],
    )


def _span(trajectories: pl.DataFrame, cameras: Iterable[CameraRecord]) -> tuple[float, float]:
    recorded = [camera for camera in cameras if camera.frames]
    starts = [camera.start for camera in recorded]
    ends = [camera.end for camera in recorded]
    if trajectories.height:
        first, last = trajectories.select(
            pl.col("timestamp").min().alias("first"), pl.col("timestamp").max().alias("last")
        ).row(0)
        starts.append(first)
        ends.append(last)
    return min(starts, default=0.0), max(ends, default=0.0)


def _gaps(clock: Clock, known: dict[str, CameraRecord], camera_ids: list[str]) -> pl.DataFrame:
    """For each camera, the length of an absence after which a new stay begins.

    Gaps too short to be visible on the time line are ignored, to limit the number of bars.
    """
    visible = (clock.end - clock.start) / 1000
    fps = [known[name].fps if name in known else 0.0 for name in camera_ids]
    gaps = [max(_GAP_S, visible, _GAP_FRAMES / rate if rate > 0 else 0.0) for rate in fps]
    return pl.DataFrame(
        {"camera_id": camera_ids, "gap_s": gaps},
        schema={"camera_id": pl.String, "gap_s": pl.Float64},
    )


def _people(
    seen: pl.DataFrame, pictures: dict[_Key, list[str]], gaps: pl.DataFrame
) -> list[PersonSummary]:
    stays = _stays(seen, gaps)
    limit = min(max(_PICTURES_PER_PAGE // max(len(stays), 1), 1), _PICTURES_PER_VISIT)
    visits: dict[int, list[Visit]] = {}
    for (global_id, camera_id), rows in stays.items():
        kept = pictures.get((global_id, camera_id), [])
        visit = Visit(
            camera_id,
            sum(count for _, _, count in rows),
            [(start, end) for start, end, _ in rows],
            kept[:limit],
            len(kept),
        )
        visits.setdefault(global_id, []).append(visit)
    return [
        PersonSummary(global_id, mean, lowest, visits[global_id])
        for global_id, mean, lowest in _confidences(seen)
    ]


def _confidences(seen: pl.DataFrame) -> Iterator[tuple[int, float, float]]:
    confidence = pl.col("confidence").cast(pl.Float64)
    table = seen.group_by("global_id").agg(confidence.mean(), confidence.min().alias("lowest"))
    yield from table.sort("global_id").iter_rows()


def _stays(seen: pl.DataFrame, gaps: pl.DataFrame) -> dict[_Key, list[tuple[float, float, int]]]:
    """(start, end, observations) of every stay, by person and camera, in order of time."""
    keys = ["global_id", "camera_id"]
    away = pl.col("timestamp").diff().over(keys) > pl.col("gap_s")
    table = (
        seen.join(gaps, on="camera_id")
        .sort(*keys, "timestamp")
        .with_columns(stay=away.fill_null(False).cum_sum().over(keys))
        .group_by(*keys, "stay", maintain_order=True)
        .agg(
            pl.col("timestamp").min().alias("start"),
            pl.col("timestamp").max().alias("end"),
            pl.len().alias("observations"),
        )
    )
    stays: dict[_Key, list[tuple[float, float, int]]] = {}
    for global_id, camera_id, _, start, end, count in table.iter_rows():
        stays.setdefault((global_id, camera_id), []).append((start, end, count))
    return stays


def _pictures(run: RunDirectory) -> dict[_Key, list[str]]:
    """The thumbnails by person and camera, best first."""
    # A track that was assigned to two people is skipped: its thumbnail may show either.
    track = ["camera_id", "track_id"]
    identities = run.identities().select(*track, "global_id").unique()
    identities = identities.filter(pl.len().over(track) == 1)
    table = (
        run.tracklets()
        .filter(pl.col("thumbnail").is_not_null())
        .join(identities, on=["camera_id", "track_id"])
        .sort("quality", "track_id", descending=[True, False])
    )
    pictures: dict[_Key, list[str]] = {}
    for row in table.select("global_id", "camera_id", "thumbnail").iter_rows():
        pictures.setdefault((row[0], row[1]), []).append(row[2])
    return pictures


def _count(
    camera_id: str, camera: CameraRecord | None, trajectories: pl.DataFrame, clock: Clock
) -> CameraCount:
    seen = trajectories.filter(pl.col("camera_id") == camera_id)
    frames = seen.group_by("frame_index").agg(pl.col("timestamp").first(), people=pl.len())
    busiest = frames.sort("people", "timestamp", descending=[True, False]).head(1)
    over_time = [0] * _SPARK_BINS
    for _, moment, people in frames.iter_rows():
        part = min(int(clock.place(moment) * _SPARK_BINS), _SPARK_BINS - 1)
        over_time[part] = max(over_time[part], people)
    return CameraCount(
        camera_id=camera_id,
        camera=camera,
        people=seen["global_id"].drop_nulls().n_unique(),
        observations=seen.height,
        busiest=(busiest["people"][0], busiest["timestamp"][0]) if busiest.height else None,
        over_time=over_time,
    )
