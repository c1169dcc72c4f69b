"""Figures of a run for a notebook, drawn with matplotlib."""

from typing import TYPE_CHECKING

import polars as pl

from pipeline.analytics.places import CAMERA
from pipeline.analytics.statistics import Statistics
from pipeline.pictures.clock import Clock
from pipeline.pictures.colours import css_colour
from pipeline.run_directory.reader import RunDirectory

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# More rows than this cannot be told apart.
_MOST_PEOPLE = 60
_ROW_IN, _WIDTH_IN = 0.28, 9.0


def timeline(visits: pl.DataFrame) -> "Figure":
    """The visits of cameras as bars, one row for each person and camera, the first at the top."""
    seen = visits.filter(kind=CAMERA)
    order = seen.group_by("global_id").agg(pl.col("start").min()).sort("start", "global_id")
    people = order["global_id"].head(_MOST_PEOPLE)
    rows = seen.filter(pl.col("global_id").is_in(people.implode()))
    lanes = (
        rows.group_by("global_id", "place")
        .agg(entered=pl.col("start").min())
        .join(order, on="global_id")
        .sort("start", "global_id", "entered", "place")
        .select("global_id", "place")
        .with_row_index("lane")
    )
    figure, axes = _figure(max(lanes.height, 4) * _ROW_IN + 0.8)
    clock = _clock(rows)
    for person, start, end, lane in (
        rows.join(lanes, on=["global_id", "place"])
        .select("global_id", "start", "end", "lane")
        .iter_rows()
    ):
        axes.barh(lane, max(end - start, 1e-3), left=start, height=0.7, color=css_colour(person))
    axes.set_yticks(
        range(lanes.height), [f"{person}  {place}" for _, person, place in lanes.iter_rows()]
    )
    axes.set_ylim(max(lanes.height, 1) - 0.4, -0.6)
    shown = "" if order.height <= _MOST_PEOPLE else f", the first {_MOST_PEOPLE} of {order.height}"
    axes.set_title(f"Who was where{shown}", loc="left")
    _time_axis(axes, clock)
    return figure


def occupancy(found: Statistics) -> "Figure":
    """The most people at once in each camera, over time."""
    from matplotlib.ticker import MaxNLocator

    spans = found.occupancy.filter(kind=CAMERA)
    figure, axes = _figure(3.0)
    for number, ((camera_id,), rows) in enumerate(
        spans.group_by("place", maintain_order=True), start=1
    ):
        last = float(rows["start"][-1]) + found.every_s
        axes.step(
            [*rows["start"], last],
            [*rows["most"], rows["most"][-1]],
            where="post",
            label=str(camera_id),
            color=css_colour(number),
        )
    axes.set(ylabel="people at once", ylim=(0, None))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    if spans.height:
        axes.legend(frameon=False)
    _time_axis(axes, _clock(found.visits))
    return figure


def ground(run: RunDirectory) -> "Figure":
    """The mean place of each person in each half second, joined by a line, seen from above."""
    from pipeline.report.ground import paths_of

    figure, axes = _figure(6.0)
    for person, path in paths_of(run).items():
        x, y = zip(*((x, y) for part in path for x, y in part), strict=True)
        axes.plot(x, y, linewidth=1.5, color=css_colour(person), label=str(person))
    axes.set(xlabel="metres", ylabel="metres", aspect="equal")
    axes.legend(title="person", frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _figure(height_in: float) -> "tuple[Figure, Axes]":
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(_WIDTH_IN, height_in), layout="constrained")
    # pyplot would keep it, and a notebook would show it twice.
    pyplot.close(figure)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _clock(visits: pl.DataFrame) -> Clock:
    start, end = visits["start"].min(), visits["end"].max()
    return Clock(float(start or 0.0), float(end or 0.0))  # type: ignore[arg-type]


def _time_axis(axes: "Axes", clock: Clock) -> None:
    ticks = clock.ticks()
    places = [clock.start + tick.place * (clock.end - clock.start) for tick in ticks]
    axes.set_xticks(places, [tick.label for tick in ticks])
    axes.set_xlabel("minutes from the start" if clock.relative else "UTC")
