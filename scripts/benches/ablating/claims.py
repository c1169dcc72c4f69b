"""Check the paper's claims against an ablation: means, standard deviations and leads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal

from ablating.ablation import TrainingOutcome

Verdict = Literal["holds", "does not hold", "too close to tell", "not measured"]


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean over seeds, and their sample standard deviation; None for a single seed."""

    mean: float
    spread: float | None


@dataclass(frozen=True, slots=True)
class Row:
    """A variant in the table. Scores are 0..1, by the name of the test set; ``minutes`` is the time
    of one training.
    """

    rank1: dict[str, Figure]
    mean_average_precision: dict[str, Figure]
    parameters: int
    minutes: float


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim of the paper and its verdict on the test set ``set``.

    ``lead`` is the difference in mAP between the variant that should be better and the best of the
    others; None when one of them was not trained.
    """

    set: str
    text: str
    verdict: Verdict
    lead: float | None


# Two trainings that differ only in their seed differ by about this much.
_UNKNOWN_SPREAD = 0.003

#: The claim, the better variant and the worse ones according to it
#: (Electronics 2025, 14(3), 525, tables 3 and 4).
_CLAIMS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("texts help (over the baseline)", "texts", ("baseline",)),
    ("MSCSA helps (over texts)", "mscsa", ("texts",)),
    ("TGI alone does not (texts are better)", "texts", ("tgi",)),
    ("both together are best", "both", ("baseline", "texts", "tgi", "mscsa")),
    ("no MSCSA after the fourth stage is better", "mscsa", ("mscsa-4",)),
)


def rows_of(outcomes: Mapping[str, Sequence[TrainingOutcome]]) -> dict[str, Row]:
    """A row for each variant, each of which has at least one outcome."""
    return {
        name: Row(
            rank1=_figures([one.rank1 for one in found]),
            mean_average_precision=_figures([one.mean_average_precision for one in found]),
            parameters=found[0].parameters,
            minutes=round(fmean(one.minutes for one in found), 2),
        )
        for name, found in outcomes.items()
    }


def claims_of(rows: Mapping[str, Row]) -> list[Claim]:
    """Each of the paper's claims on each test set, judged by mAP.

    A lead within the larger standard deviation of the two is too close to tell; with a single
    seed, one of up to 0.3 points.
    """
    sets = next((row.rank1 for row in rows.values()), {})
    return [_claim(rows, one, *claim) for claim in _CLAIMS for one in sets]


def _claim(
    rows: Mapping[str, Row], one: str, text: str, ahead: str, behind: Sequence[str]
) -> Claim:
    if not {ahead, *behind} <= rows.keys():
        return Claim(one, text, "not measured", None)
    first = rows[ahead].mean_average_precision[one]
    others = [rows[name].mean_average_precision[one] for name in behind]
    second = max(others, key=lambda figure: figure.mean)
    lead = round(first.mean - second.mean, 4)
    spreads = [figure.spread for figure in (first, second) if figure.spread is not None]
    noise = max(spreads, default=_UNKNOWN_SPREAD)
    if abs(lead) <= noise:
        return Claim(one, text, "too close to tell", lead)
    return Claim(one, text, "holds" if lead > 0 else "does not hold", lead)


def _figures(values: Sequence[Mapping[str, float]]) -> dict[str, Figure]:
    return {name: _figure([one[name] for one in values]) for name in values[0]}


def _figure(values: Sequence[float]) -> Figure:
    spread = round(stdev(values), 4) if len(values) > 1 else None
    return Figure(round(fmean(values), 4), spread)
