"""Walking speed on the ground, from smoothed positions.

The place of a person jitters with the lower edge of the box, which would add up to a long path. So
the positions of half a second are averaged, over all cameras that see the person, and smoothed over
two and a half seconds.
"""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from pipeline.errors import writing

#: Seconds over which positions are averaged.
BIN_S = 0.5
# Bins over which the positions are smoothed, and the longest time between two of one way.
_WINDOW, _GAP_S = 5, 2.0
# Half seconds that are held in memory, and the files over which the people of more are spread.
_MOST_HELD, _FILES = 1_000_000, 32

_BINS = pl.Schema(
    {"global_id": pl.Int64, "bin": pl.Int64, "x": pl.Float64, "y": pl.Float64, "n": pl.Int64}
)
#: Columns of speeds: ``distance_m`` is the length of the way, ``mean`` and ``fast`` (what the
#: person did not exceed for 95 % of the time) are metres a second, over ``seconds``.
SPEED = pl.Schema(
    {
        "global_id": pl.Int64,
        "seconds": pl.Float64,
        "distance_m": pl.Float64,
        "mean": pl.Float64,
        "fast": pl.Float64,
    }
)


def binned(rows: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The sums of the positions on the ground of each person in each half second."""
    return (
        pl.concat([_BINS.to_frame(), *rows])
        .group_by("global_id", "bin")
        .agg(pl.col("x", "y", "n").sum())
    )


def positions_in(rows: pl.DataFrame) -> pl.DataFrame:
    """`binned` positions of some ``rows`` of trajectories of people."""
    known = rows.filter(pl.col("ground_x").is_not_null() & pl.col("ground_y").is_not_null())
    return binned(
        [
            known.select(
                "global_id",
                bin=(pl.col("timestamp") // BIN_S).cast(pl.Int64),
                x="ground_x",
                y="ground_y",
                n=pl.lit(1, pl.Int64),
            )
        ]
    )


def speeds_of(bins: pl.DataFrame) -> pl.DataFrame:
    """How far and how fast each person walked, ordered by person.

    The first and last second of a path, where there is less to average, do not count; people who
    were seen for less than three seconds are not in the table.
    """
    who = "global_id"
    ordered = bins.sort(who, "bin").with_columns(
        pl.col("x") / pl.col("n"), pl.col("y") / pl.col("n")
    )
    gap = pl.col("bin").diff().over(who).fill_null(0) * BIN_S > _GAP_S
    parts = ordered.with_columns(part=gap.cum_sum().over(who))
    part = [who, "part"]
    smooth = [
        pl.col(name).rolling_mean(_WINDOW, center=True).over(part).alias(name)
        for name in ("x", "y")
    ]
    steps = parts.with_columns(smooth).with_columns(
        seconds=pl.col("bin").diff().over(part) * BIN_S,
        metres=(pl.col("x").diff().over(part).pow(2) + pl.col("y").diff().over(part).pow(2)).sqrt(),
    )
    rate = pl.col("metres") / pl.col("seconds")
    return (
        steps.filter(pl.col("metres").is_not_null())
        .group_by(who)
        .agg(
            seconds=pl.col("seconds").sum(),
            distance_m=pl.col("metres").sum(),
            mean=pl.col("metres").sum() / pl.col("seconds").sum(),
            fast=rate.quantile(0.95, "linear"),
        )
        .sort(who)
        .cast(SPEED)
    )


class Bins:
    """The positions of any number of people, of which few are held in memory."""

    def __init__(self) -> None:
        self._held: list[pl.DataFrame] = []
        self._folder: TemporaryDirectory[str] | None = None
        self._written = 0

    def add(self, positions: pl.DataFrame) -> None:
        """Add some `positions_in`. Raises UserError when temporary files cannot be written."""
        self._held.append(positions)
        if sum(part.height for part in self._held) > _MOST_HELD:
            self._write()

    def speeds(self) -> pl.DataFrame:
        """The `speeds_of` all people; nothing can be added any more. Raises UserError as `add`."""
        if self._folder is None:
            return speeds_of(binned(self._held))
        self._write()
        with self._folder as folder:
            files = [sorted(Path(folder).glob(f"{number}-*")) for number in range(_FILES)]
            parts = [speeds_of(binned([pl.read_parquet(one) for one in some])) for some in files]
        return pl.concat(parts).sort("global_id")

    def _write(self) -> None:
        """Write what is held: all of a person into the files of one number."""
        rows = binned(self._held).with_columns(file=pl.col("global_id") % _FILES)
        with writing("temporary files", "Set TMPDIR to a folder with free space"):
            if self._folder is None:
                self._folder = TemporaryDirectory(prefix="fusetrack-")
            for (number,), some in rows.partition_by("file", as_dict=True).items():
                path = Path(self._folder.name, f"{number}-{self._written}.parquet")
                some.drop("file").write_parquet(path)
        self._held = []
        self._written += 1
