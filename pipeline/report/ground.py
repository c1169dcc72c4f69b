"""The paths of people on the ground, thinned for a drawing."""

from collections.abc import Mapping

import polars as pl

from pipeline.run_directory.reader import RunDirectory

# A person is at one place in each of these.
_STEP_S = 0.5
# A line is interrupted where a person was not seen for this long.
_AWAY_S = 3.0
# A drawing of more is a blot.
_MOST_PLACES = 20_000
# More are not held in memory.
_MOST_STEPS = 1_000_000
# However many people there are, each has a place.
_LONGEST_S = 1e9

#: The parts of the path of each person: places in metres.
Paths = Mapping[int, list[list[tuple[float, float]]]]
_KEYS = ["global_id", "step"]


def paths_of(run: RunDirectory) -> Paths:
    """The path of each person over all calibrated cameras, by global id."""
    steps = Steps()
    for camera_id in run.observed():
        for rows in run.chunks(camera_id):
            steps.add(rows)
    return lines_of(*steps.thinned())


class Steps:
    """Where each person was in each step of time; where that is too much, in longer steps."""

    def __init__(self) -> None:
        self._parts: list[pl.DataFrame] = []
        self._step_s = _STEP_S

    def add(self, rows: pl.DataFrame) -> None:
        """Add some rows of trajectories."""
        self._parts.append(steps_in(rows, self._step_s))
        if sum(part.height for part in self._parts) > _MOST_STEPS:
            steps, self._step_s = _fewer(joined(self._parts), self._step_s, _MOST_STEPS // 2)
            self._parts = [steps]

    def thinned(self, people: pl.DataFrame | None = None) -> tuple[pl.DataFrame, float]:
        """As `thinned`."""
        return thinned(joined(self._parts), people, self._step_s)


def steps_in(rows: pl.DataFrame, step_s: float = _STEP_S) -> pl.DataFrame:
    """Where each person was in each step within some rows of trajectories, as sums."""
    on_ground = rows.filter(
        pl.col("global_id").is_not_null(),
        pl.col("ground_x").is_finite(),
        pl.col("ground_y").is_finite(),
    )
    return (
        on_ground.with_columns(step=(pl.col("timestamp") / step_s).floor().cast(pl.Int64))
        .group_by(_KEYS)
        .agg(x=pl.col("ground_x").sum(), y=pl.col("ground_y").sum(), n=pl.len().cast(pl.Int64))
    )


def joined(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """``parts`` of `steps_in`, added up."""
    return pl.concat([_empty(), *parts]).group_by(_KEYS).agg(pl.col("x", "y", "n").sum())


def thinned(
    steps: pl.DataFrame, people: pl.DataFrame | None = None, step_s: float = _STEP_S
) -> tuple[pl.DataFrame, float]:
    """At most `_MOST_PLACES` of ``steps`` of ``step_s`` seconds, of some ``people`` (column
    global_id), and how many seconds each is long; more only of more people than that."""
    kept = steps if people is None else steps.join(people, on="global_id", how="semi")
    return _fewer(kept, step_s, _MOST_PLACES)


def _fewer(steps: pl.DataFrame, step_s: float, most: int) -> tuple[pl.DataFrame, float]:
    while steps.height > most and step_s < _LONGEST_S:
        steps, step_s = joined([steps.with_columns(pl.col("step") // 2)]), 2 * step_s
    return steps, step_s


def lines_of(steps: pl.DataFrame, step_s: float) -> Paths:
    """The lines through ``steps`` of ``step_s`` seconds, by global id."""
    places = steps.sort(_KEYS).with_columns(
        x=pl.col("x") / pl.col("n"), y=pl.col("y") / pl.col("n")
    )
    found: dict[int, list[list[tuple[float, float]]]] = {}
    before: dict[int, int] = {}
    for person, step, x, y in places.select(*_KEYS, "x", "y").iter_rows():
        lines = found.setdefault(person, [])
        if not lines or (step - before[person]) * step_s > max(_AWAY_S, 1.5 * step_s):
            lines.append([])
        lines[-1].append((x, y))
        before[person] = step
    return found


def _empty() -> pl.DataFrame:
    return pl.Schema(
        {"global_id": pl.Int64, "step": pl.Int64, "x": pl.Float64, "y": pl.Float64, "n": pl.Int64}
    ).to_frame()
