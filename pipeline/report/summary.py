"""The content of the report page as plain values, computed from the tables of a run."""

from dataclasses import dataclass, field
from pathlib import PurePath

import numpy as np
import polars as pl

from pipeline.analytics.statistics import Statistics, statistics_of
from pipeline.config.load import check_config
from pipeline.config.schema import SiteConfig
from pipeline.pictures.clock import Clock
from pipeline.report.ground import Paths, Steps, lines_of
from pipeline.report.people import PersonSummary, people_of, pictures_of
from pipeline.run_directory.corrections import names_in
from pipeline.run_directory.people_table import joined_tracks, tracks_in
from pipeline.run_directory.reader import RunDirectory, no_trajectories
from pipeline.run_directory.schema import CameraRecord
from pipeline.sources.source_kinds import is_url

_GAP_S = 1.0
_GAP_FRAMES = 3
# The occupancy of the whole run has about this many spans, none shorter than the second.
_SPANS, _LEAST_SPAN_S = 120, 0.1
# A browser still scrolls through these: some 20 MB with pictures.
_VISITS_PER_PAGE = 1500
_STAYS_PER_PAGE = 15_000


@dataclass(frozen=True, slots=True)
class CameraCount:
    """Counts of one camera. ``busiest`` is (people, seconds UTC) of its busiest frame.

    ``source`` is that of ``camera`` without the folder in which it lies.
    """

    camera_id: str
    camera: CameraRecord | None
    people: int
    observations: int
    busiest: tuple[int, float] | None

    @property
    def source(self) -> str:
        """The source as a page shows it: a URL, or the name of a file."""
        return "" if self.camera is None else _short(self.camera.source)

    @property
    def detail(self) -> str:
        """What is wrong with the camera, without the folder of its source."""
        if self.camera is None:
            return ""
        return self.camera.detail.replace(self.camera.source or "\0", self.source)


@dataclass(frozen=True, slots=True)
class Summary:
    """A whole run. ``unidentified`` counts observations of tracks without an identity.

    ``people`` are those of ``people_count`` that were seen last, as many as a page can show.
    Absences from a camera up to ``shortest_gap`` (seconds, 0: all are shown) are too many.
    ``paths`` are the ways of ``people`` on the ground, empty where nothing is calibrated, and
    ``eyes`` the places of the calibrated cameras, in metres.
    """

    site: str
    clock: Clock
    observations: int
    unidentified: int
    people: list[PersonSummary]
    people_count: int
    shortest_gap: float
    cameras: list[CameraCount]
    statistics: Statistics
    paths: Paths
    eyes: dict[str, tuple[float, float]]

    @property
    def certain(self) -> list[PersonSummary]:
        """The people of whom it is not doubtful that they were there."""
        return [person for person in self.people if not person.is_brief]

    @property
    def brief(self) -> list[PersonSummary]:
        """The people who were seen briefly, or of whom it is unsure."""
        return [person for person in self.people if person.is_brief]

    @property
    def has_pictures(self) -> bool:
        """Whether the run has any thumbnail of its people."""
        return any(visit.kept for person in self.people for visit in person.visits)


def summarise(run: RunDirectory) -> Summary:
    """Read a run and summarise it; works on unfinished and killed runs too."""
    known = {camera.camera_id: camera for camera in run.cameras()}
    clock = Clock(*_span(run))
    camera_ids = sorted({*known, *run.observed()})
    steps = Steps()
    tallies = {name: _tally(run, name, known.get(name), clock, steps) for name in camera_ids}
    nothing = no_trajectories()
    tracks = [tracks_in(nothing), *(part for tally in tallies.values() for part in tally.tracks)]
    parts = [_stays(nothing, 0.0), *(part for tally in tallies.values() for part in tally.stays)]
    stays, people_count = _seen_last(_merged(pl.concat(parts)))
    stays, shortest_gap = _drawable(stays)
    config = check_config(run.config(), str(run.path / "config.yaml"))
    span_s = max((clock.end - clock.start) / _SPANS, _LEAST_SPAN_S)
    shown = stays.select("global_id").unique()
    counts = [_count(name, known.get(name), tally) for name, tally in tallies.items()]
    observations = sum(count.observations for count in counts)
    names = names_in(run.path)
    return Summary(
        site=config.site,
        clock=clock,
        observations=observations,
        unidentified=observations - sum(int(part["observations"].sum()) for part in tracks),
        people=people_of(joined_tracks(tracks), stays, pictures_of(run, stays), names),
        people_count=people_count,
        shortest_gap=shortest_gap,
        cameras=counts,
        statistics=statistics_of(run, config, every_s=span_s),
        paths=lines_of(*steps.thinned(shown)),
        eyes=_eyes(config),
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
    tracks: list[pl.DataFrame] = field(default_factory=list)
    stays: list[pl.DataFrame] = field(default_factory=list)


def _tally(
    run: RunDirectory, camera_id: str, camera: CameraRecord | None, clock: Clock, steps: Steps
) -> _Tally:
    tally, gap_s = _Tally(), _gap(clock, camera)
    for rows in run.chunks(camera_id) if camera_id in run.observed() else ():
        tally.observations += rows.height
        tally.tracks = [joined_tracks([*tally.tracks, tracks_in(rows)])]
        tally.stays.append(_stays(rows, gap_s))
        steps.add(rows)
        _count_frames(tally, rows)
    return tally


def _count_frames(tally: _Tally, rows: pl.DataFrame) -> None:
    frames = rows.group_by("frame_index").agg(pl.col("timestamp").first(), people=pl.len())
    busiest = frames.sort("people", "timestamp", descending=[True, False]).head(1)
    for _, moment, people in busiest.iter_rows():
        known = tally.busiest
        if known is None or (people, -moment) > (known[0], -known[1]):
            tally.busiest = people, moment


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
    """The stays, no more than a page can show, and the absence up to which they are joined."""
    gap_s = 0.0
    while stays.height > max(_STAYS_PER_PAGE, stays.select("global_id", "camera_id").n_unique()):
        gap_s = 2 * max(gap_s, float(stays["gap_s"].max()))  # type: ignore[arg-type]
        stays = _merged(stays.with_columns(gap_s=pl.lit(gap_s)))
    return stays, gap_s


def _count(camera_id: str, camera: CameraRecord | None, tally: _Tally) -> CameraCount:
    return CameraCount(
        camera_id=camera_id,
        camera=camera,
        people=len({name for part in tally.tracks for name in part["global_id"]}),
        observations=tally.observations,
        busiest=tally.busiest,
    )


def _short(source: str) -> str:
    """A source without its folder, which says nothing away from the machine of the run."""
    return source if is_url(source) else PurePath(source).name or source


def _eyes(config: SiteConfig) -> dict[str, tuple[float, float]]:
    """Where the cameras hang of which that is known, in metres on the ground."""
    views = {name: camera.view for name, camera in config.cameras.items()}
    eyes = {name: view.eye for name, view in views.items() if view and view.sees_height}
    return {name: (float(e[0]), float(e[1])) for name, e in eyes.items() if np.isfinite(e).all()}
