"""All statistics of a run: its observations are read once, in parts of bounded size."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from pipeline.analytics.crossings import CROSSING, crossings_of, line_counts, sides_of
from pipeline.analytics.places import Places, check_places
from pipeline.analytics.speed import Bins, positions_in
from pipeline.analytics.stays import dwell_of, joined, occupancy, on_site, people_by_hour, stays_in
from pipeline.analytics.transitions import flow, transitions_of
from pipeline.config.schema import SiteConfig
from pipeline.run_directory.corrections import names_in
from pipeline.run_directory.reader import RunDirectory

#: Cells of the heat map of a camera.
COLUMNS, ROWS = 32, 18


@dataclass(frozen=True, slots=True)
class Statistics:
    """The statistics of a run as tables; times are seconds UTC.

    ``visits`` as `stays.STAY` with ``seconds``; ``dwell`` as of `stays.dwell_of`;
    ``transitions`` as `transitions.TRANSITION`; ``occupancy`` as of `stays.occupancy`;
    ``people`` as of `stays.people_by_hour`; ``crossings`` as `crossings.CROSSING`, and counted in
    ``lines``; ``speeds`` as `speed.SPEED`. ``heat`` counts observations: camera_id, column, row (of
    32 x 18 equal cells of the picture), n. ``unidentified`` counts those without a global id, which
    are in no table; ``every_s`` is the span of the occupancy. ``names`` are those that people were
    given, by global id.
    """

    site: str
    visits: pl.DataFrame
    dwell: pl.DataFrame
    transitions: pl.DataFrame
    occupancy: pl.DataFrame
    people: pl.DataFrame
    crossings: pl.DataFrame
    lines: pl.DataFrame
    speeds: pl.DataFrame
    heat: pl.DataFrame
    unidentified: int
    every_s: float
    names: dict[int, str]

    def places(self) -> pl.DataFrame:
        """One row a place over the whole time: kind, place, people, visits, mean_s and longest_s of
        the visits, and the most people at once.
        """
        most = self.occupancy.group_by("kind", "place").agg(pl.col("most").max())
        whole = self.people.filter(pl.col("hour").is_null()).drop("hour")
        return whole.join(most, on=["kind", "place"], how="left", maintain_order="left")

    def flow(self) -> pl.DataFrame:
        """How many went from where to where, as of `transitions.flow`."""
        return flow(self.transitions)


@dataclass(slots=True)
class _Parts:
    """What is kept of the observations read so far."""

    stays: list[pl.DataFrame] = field(default_factory=list)
    bins: Bins = field(default_factory=Bins)
    heat: list[pl.DataFrame] = field(default_factory=list)
    sides: dict[str, list[pl.DataFrame]] = field(default_factory=dict)
    unidentified: int = 0


def statistics_of(
    run: RunDirectory, config: SiteConfig, *, gap_s: float = 2.0, every_s: float = 60.0
) -> Statistics:
    """Count people in ``run``, in the zones and at the lines of ``config``.

    A stay ends when the person is not seen there for over ``gap_s``; on the whole site, for over
    ``association.gallery_s``. ``every_s`` is the span of the occupancy. Raises UserError for a zone
    or line that does not fit the cameras.
    """
    places = Places(config.zones, config.lines)
    check_places_in(run, config)
    parts = _Parts(sides={name: [] for name in places.lines})
    sizes = {c.camera_id: (c.width, c.height) for c in run.cameras()}
    for camera_id in run.observed():
        for rows in run.chunks(camera_id):
            _add(parts, rows, camera_id, places, sizes.get(camera_id, (0, 0)), gap_s)
    return _of_parts(parts, config, places, gap_s, every_s, names_in(run.path))


def check_places_in(run: RunDirectory, config: SiteConfig) -> None:
    """Raise UserError for a zone or line of ``config`` that does not fit the cameras of ``run``."""
    places = Places(config.zones, config.lines)
    whole = RunDirectory(run.path)
    sizes = dict.fromkeys([*config.cameras, *whole.observed()], (0, 0))
    sizes |= {camera.camera_id: (camera.width, camera.height) for camera in whole.cameras()}
    check_places(places, sizes, calibrated=not places.on_ground() or whole.has_ground())


def _add(
    parts: _Parts,
    rows: pl.DataFrame,
    camera_id: str,
    places: Places,
    size: tuple[int, int],
    gap_s: float,
) -> None:
    people = rows.filter(pl.col("global_id").is_not_null())
    parts.unidentified += rows.height - people.height
    parts.stays.append(stays_in(people, camera_id, places, gap_s))
    parts.bins.add(positions_in(people))
    for name, line in places.lines_seen_by(camera_id):
        parts.sides[name].append(sides_of(line, people, gap_s))
    if all(size):
        parts.heat = [_heat([*parts.heat, _cells(people, size)])]


def _cells(people: pl.DataFrame, size: tuple[int, int]) -> pl.DataFrame:
    column = ((pl.col("x1") + pl.col("x2")) / 2 / size[0] * COLUMNS).clip(0, COLUMNS - 1)
    row = (pl.col("y2") / size[1] * ROWS).clip(0, ROWS - 1)
    return people.select(
        "camera_id", column=column.cast(pl.Int64), row=row.cast(pl.Int64), n=pl.lit(1, pl.Int64)
    )


def _heat(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    cell = ["camera_id", "column", "row"]
    none = pl.Schema({"camera_id": pl.String, **dict.fromkeys(["column", "row", "n"], pl.Int64)})
    return pl.concat([none.to_frame(), *parts]).group_by(cell).agg(pl.col("n").sum()).sort(cell)


def _of_parts(
    parts: _Parts,
    config: SiteConfig,
    places: Places,
    gap_s: float,
    every_s: float,
    names: dict[int, str],
) -> Statistics:
    stays = joined(parts.stays, gap_s)
    stays = pl.concat([stays, on_site(stays, config.site, config.association.gallery_s)])
    crossings = [
        crossings_of(name, line, parts.sides[name], gap_s) for name, line in places.lines.items()
    ]
    crossed = pl.concat([CROSSING.to_frame(), *crossings])
    return Statistics(
        site=config.site,
        visits=stays.with_columns(seconds=pl.col("end") - pl.col("start")),
        dwell=dwell_of(stays, list(places.zones)),
        transitions=transitions_of(stays),
        occupancy=occupancy(stays, every_s),
        people=people_by_hour(stays),
        crossings=crossed,
        lines=line_counts(crossed, list(places.lines.items())),
        speeds=parts.bins.speeds(),
        heat=_heat(parts.heat),
        unidentified=parts.unidentified,
        every_s=every_s,
        names=names,
    )
