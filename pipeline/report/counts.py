"""The counts of a run as charts, for the report and the page of statistics."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from pipeline.analytics.places import SITE
from pipeline.analytics.statistics import COLUMNS, ROWS, Statistics
from pipeline.pictures.clock import Clock
from pipeline.report.charts import BAR, FLOW_WIDTH, Flow, flow_chart, steps

# A diagram of more is a tangle, and a site of a hundred cameras has ten thousand.
_MOST_WAYS = 60


@dataclass(frozen=True, slots=True)
class PlaceChart:
    """A place with its counts, and the most people at once in even steps of the time."""

    kind: str
    place: str
    people: int
    visits: int
    mean_s: float
    longest_s: float
    most: int
    over_time: list[int]


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Where people stood in the picture of a camera: column, row and share of the fullest cell."""

    camera_id: str
    cells: list[tuple[int, int, float]]


def charts_of(found: Statistics, clock: Clock) -> dict[str, Any]:
    """What `counts.html.jinja` shows of ``found``, by the names of its variables."""
    return {
        "places": _places(found, clock),
        "flows": _flows(found),
        "dwell": found.dwell.rows(),
        "lines": found.lines.rows(),
        "heat": _heat(found),
        "fastest": _speeds(found),
        "columns": COLUMNS,
        "rows": ROWS,
        "bar": BAR,
        "flow_width": FLOW_WIDTH,
    }


def _places(found: Statistics, clock: Clock) -> list[PlaceChart]:
    charts = []
    for row in found.places().iter_rows(named=True):
        spans = found.occupancy.filter(kind=row["kind"], place=row["place"])
        values = spans.select("start", "most").rows()
        charts.append(
            PlaceChart(**row, over_time=steps(values, clock.start, clock.end, found.every_s))
        )
    # The whole site first.
    return sorted(charts, key=lambda chart: chart.kind != SITE)


def _flows(found: Statistics) -> dict[str, Flow]:
    columns = ("origin", "destination", "times", "people", "median_s")
    return {
        str(kind): flow_chart(rows.select(columns).rows(), _MOST_WAYS)
        for (kind,), rows in found.flow().group_by("kind", maintain_order=True)
    }


def _heat(found: Statistics) -> list[HeatMap]:
    share = (pl.col("n") / pl.col("n").max().over("camera_id")).sqrt().round(3)
    cells = found.heat.with_columns(share=share)
    return [
        HeatMap(str(camera_id), rows.select("column", "row", "share").rows())
        for (camera_id,), rows in cells.group_by("camera_id", maintain_order=True)
    ]


def _speeds(found: Statistics) -> dict[str, float] | None:
    """The median of the people's mean and fast speed, m/s; None where nothing is on the ground."""
    if found.speeds.is_empty():
        return None
    return found.speeds.select(pl.col("mean", "fast").median()).row(0, named=True)
