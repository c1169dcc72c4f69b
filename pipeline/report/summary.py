"""The content of the report page as plain values, computed from the tables of a run."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import polars as pl

from pipeline.pictures.clock import Clock
from pipeline.run_directory.people import joined_tracks, mean_confidence, tracks_in
from pipeline.run_directory.reader import RunDirectory, no_trajectories
from pipeline.run_directory.schema import CameraRecord

_GAP_S = 1.0
_GAP_FRAMES = 3
_SPARK_BINS = 60
_PICTURES_PER_VISIT = 4
_PICTURES_PER_PAGE = 1500
# A browser still scrolls through these: some 20 MB with pictures.
_VISITS_PER_PAGE = 1500
_STAYS_PER_PAGE = 15_000

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
    """A whole run. ``unidentified`` counts observations of tracks without an identity.

    ``people`` are those of ``people_count`` that were seen last, as many as a page can show.
    Absences from a camera up to ``shortest_gap`` (seconds, 0: all are shown) are too many.
    """

    site: str
    clock: Clock
    observations: int
    unidentified: int
    people: list[PersonSummary]
    people_count: int
    shortest_gap: float
    cameras: list[CameraCount]

    @property
    def has_pictures(self) -> bool:
        """Whether the run has any thumbnail of its people."""
        return any(visit.kept for person in self.people for visit in person.visits)


def summarise(run: RunDirectory) -> Summary:
    """Read a run and summarise it; works on unfinished and killed runs too."""
    known = {camera.camera_id: camera for camera in run.cameras()}
    clock = Clock(*_span(run))
    camera_ids = sorted({*known, *run.observed()})
    tallies = {name: _tally(run, name, known.get(name), clock) for name in camera_ids}
    nothing = no_trajectories()
    tracks = [tracks_in(nothing), *(part for tally in tallies.values() for part in tally.tracks)]
    parts = [_stays(nothing, 0.0), *(part for tally in tallies.values() for part in tally.stays)]
    stays, people_count = _seen_last(_merged(pl.concat(parts)))
    stays, shortest_gap = _drawable(stays)
    counts = [_count(name, known.get(name), tally) for name, tally in tallies.items()]
    observations = sum(count.observations for count in counts)
    return Summary(
        site=str(run.config().get("site", "site")),
        clock=clock,
        observations=observations,
        unidentified=observations - sum(int(part["observations"].sum()) for part in tracks),
        people=_people(joined_tracks(tracks), stays, _pictures(run, stays)),
        people_count=people_count,
        shortest_gap=shortest_gap,
        cameras=counts,
    )


def _span(run: RunDirectory) -> tuple[float, float]:
    """The time of the report: of all frames and observations, within the selected time."""
    spans = [(c.start, c.end) for c in run.cameras() if c.frames]
    observed = run.observed_span()
    spans += [observed] if observed[0] <= observed[1] else []
    start = min((first for first, _ in spans), default=0.0)
    end = max((last for _, last in spans), default=0.0)
    first, last = run.selection.clipped(start, end)
    return (first, last) if first <= last else (start, end)


@dataclass(slots=True)
class _Tally:
    """What is counted of a camera, part by part."""

    observations: int = 0
    busiest: tuple[int, float] | None = None
    over_time: list[int] = field(default_factory=lambda: [0] * _SPARK_BINS)
    tracks: list[pl.DataFrame] = field(default_factory=list)
    stays: list[pl.DataFrame] = field(default_factory=list)


def _tally(run: RunDirectory, camera_id: str, camera: CameraRecord | None, clock: Clock) -> _Tally:
    tally, gap_s = _Tally(), _gap(clock, camera)
    for rows in run.chunks(camera_id) if camera_id in run.observed() else ():
        tally.observations += rows.height
        tally.tracks = [joined_tracks([*tally.tracks, tracks_in(rows)])]
        tally.stays.append(_stays(rows, gap_s))
        _count_frames(tally, rows, clock)
    return tally


def _count_frames(tally: _Tally, rows: pl.DataFrame, clock: Clock) -> None:
    frames = rows.group_by("frame_index").agg(pl.col("timestamp").first(), people=pl.len())
    busiest = frames.sort("people", "timestamp", descending=[True, False]).head(1)
    for _, moment, people in busiest.iter_rows():
        known = tally.busiest
        if known is None or (people, -moment) > (known[0], -known[1]):
            tally.busiest = people, moment
    place = (pl.col("timestamp") - clock.start) / max(clock.end - clock.start, 1e-9)
    part = (place * _SPARK_BINS).floor().clip(0, _SPARK_BINS - 1).cast(pl.Int64)
    for index, most in frames.group_by(part.alias("part")).agg(pl.col("people").max()).iter_rows():
        tally.over_time[index] = max(tally.over_time[index], most)


def _gap(clock: Clock, camera: CameraRecord | None) -> float:
    """The length of an absence from a camera after which a new stay begins, seconds.

    Gaps too short to be visible on the time line are ignored, to limit the number of bars.
    """
    visible = (clock.end - clock.start) / 1000
    rate = camera.fps if camera else 0.0
    return max(_GAP_S, visible, _GAP_FRAMES / rate if rate > 0 else 0.0)


def _stays(rows: pl.DataFrame, gap_s: float) -> pl.DataFrame:
    """The stays within some rows of a camera, and the gap after which another one begins."""
    seen = rows.filter(pl.col("global_id").is_not_null())
    time = pl.col("timestamp")
    return _merged(
        seen.select(
            *("global_id", "camera_id"),
            start=time,
            end=time,
            observations=pl.lit(1, pl.Int64),
            gap_s=pl.lit(gap_s, pl.Float64),
        )
    )


def _merged(stays: pl.DataFrame) -> pl.DataFrame:
    """Stays of which those are joined that no gap is between; by person, camera and time."""
    keys = ["global_id", "camera_id"]
    reached = pl.col("end").cum_max().shift(1).over(keys)
    away = (pl.col("start") - reached > pl.col("gap_s")).fill_null(False)
    return (
        stays.sort(*keys, "start", "end")
        .with_columns(stay=away.cum_sum().over(keys))
        .group_by(*keys, "stay", maintain_order=True)
        .agg(
            pl.col("start").min(),
            pl.col("end").max(),
            pl.col("observations").sum(),
            pl.col("gap_s").first(),
        )
        .drop("stay")
    )


def _seen_last(stays: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """The stays of the people that were seen last, and how many people there are in all."""
    people = stays.group_by("global_id").agg(
        pl.col("end").max(), visits=pl.col("camera_id").n_unique()
    )
    ordered = people.sort("end", "global_id", descending=[True, False])
    fits = pl.col("visits").cum_sum() <= _VISITS_PER_PAGE
    shown = ordered.filter(fits | (pl.int_range(pl.len()) == 0))
    return stays.filter(pl.col("global_id").is_in(shown["global_id"].implode())), people.height


def _drawable(stays: pl.DataFrame) -> tuple[pl.DataFrame, float]:
    """At most so many stays as a page can show, and the absence up to which they are joined."""
    gap_s = 0.0
    while stays.height > max(_STAYS_PER_PAGE, stays.select("global_id", "camera_id").n_unique()):
        gap_s = 2 * max(gap_s, float(stays["gap_s"].max()))  # type: ignore[arg-type]
        stays = _merged(stays.with_columns(gap_s=pl.lit(gap_s)))
    return stays, gap_s


def _people(
    tracks: pl.DataFrame, stays: pl.DataFrame, pictures: dict[_Key, list[str]]
) -> list[PersonSummary]:
    of_visits = stays.partition_by("global_id", "camera_id", maintain_order=True, as_dict=True)
    limit = min(max(_PICTURES_PER_PAGE // max(len(of_visits), 1), 1), _PICTURES_PER_VISIT)
    visits: dict[int, list[Visit]] = {}
    for (global_id, camera_id), rows in of_visits.items():
        kept = pictures.get((global_id, camera_id), [])
        spans = list(rows.select("start", "end").iter_rows())
        visit = Visit(camera_id, int(rows["observations"].sum()), spans, kept[:limit], len(kept))
        visits.setdefault(global_id, []).append(visit)
    return [
        PersonSummary(global_id, mean, lowest, visits[global_id])
        for global_id, mean, lowest in _confidences(tracks)
        if global_id in visits
    ]


def _confidences(tracks: pl.DataFrame) -> Iterator[tuple[int, float, float]]:
    lowest = pl.col("confidence").cast(pl.Float64).min().alias("lowest")
    table = tracks.group_by("global_id").agg(mean_confidence().alias("mean"), lowest)
    yield from table.sort("global_id").iter_rows()


def _pictures(run: RunDirectory, stays: pl.DataFrame) -> dict[_Key, list[str]]:
    """The thumbnails of the people of ``stays`` by person and camera, best first."""
    # A track that was assigned to two people is skipped: its thumbnail may show either.
    track = ["camera_id", "track_id"]
    identities = run.identities().select(*track, "global_id").unique()
    identities = identities.filter(pl.len().over(track) == 1)
    identities = identities.join(stays.select("global_id").unique(), on="global_id", how="semi")
    table = (
        run.tracklets(["camera_id", "track_id", "quality", "thumbnail"])
        .filter(pl.col("thumbnail").is_not_null())
        .join(identities, on=["camera_id", "track_id"])
        .sort("quality", "track_id", descending=[True, False])
    )
    pictures: dict[_Key, list[str]] = {}
    for row in table.select("global_id", "camera_id", "thumbnail").iter_rows():
        pictures.setdefault((row[0], row[1]), []).append(row[2])
    return pictures


def _count(camera_id: str, camera: CameraRecord | None, tally: _Tally) -> CameraCount:
    return CameraCount(
        camera_id=camera_id,
        camera=camera,
        people=len({name for part in tally.tracks for name in part["global_id"]}),
        observations=tally.observations,
        busiest=tally.busiest,
        over_time=tally.over_time,
    )
