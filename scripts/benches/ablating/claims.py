"""Check the paper's claims against an ablation: means, standard deviations and leads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal

from ablating.ablation import Outcome

Verdict = Literal["holds", "does not hold", "too close to tell", "not measured"]


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean over seeds, and their sample standard deviation; None for a single seed."""

    mean: float
    spread: float | None


@dataclass(frozen=True, slots=True)
class Row:
    """A variant in the table. Scores are 0..1, ``minutes`` is the time of one training."""

    rank1: Figure
    mean_average_precision: Figure
    rank5: Figure
    parameters: int
    minutes: float


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim of the paper and its verdict.

    ``lead`` is the difference in mAP between the variant that should be better and the best of the
    others; None when one of them was not trained.
    """

    text: str
    verdict: Verdict
    lead: float | None


# Two trainings that differ only in their seed differ by about this much.
_UNKNOWN_SPREAD = 0.003

#: The claim, the better variant and the worse ones according to it
#: (Electronics 2025, 14(3), 525, tables 3 and 4).
_CLAIMS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("texts help (CLIP-ReID over the baseline)", "clip-reid", ("baseline",)),
    ("MSCSA helps (over CLIP-ReID)", "mscsa", ("clip-reid",)),
    ("TGI alone does not (CLIP-ReID is better)", "clip-reid", ("tgi",)),
    ("both together are best", "both", ("baseline", "clip-reid", "tgi", "mscsa")),
    ("two MSCSA modules beat one", "mscsa-2", ("mscsa-1",)),
    ("three MSCSA modules beat two", "mscsa", ("mscsa-2",)),
    ("three MSCSA modules beat four", "mscsa", ("mscsa-4",)),
)


def rows_of(outcomes: Mapping[str, Sequence[Outcome]]) -> dict[str, Row]:
    """A row for each variant, each of which has at least one outcome."""
    return {
        name: Row(
            rank1=_figure([one.rank1 for one in found]),
            mean_average_precision=_figure([one.mean_average_precision for one in found]),
            rank5=_figure([one.rank5 for one in found]),
            parameters=found[0].parameters,
            minutes=round(fmean(one.minutes for one in found), 2),
        )
        for name, found in outcomes.items()
    }


def claims_of(rows: Mapping[str, Row]) -> list[Claim]:
    """Each of the paper's claims, judged by mAP.

    A lead within the larger standard deviation of the two is too close to tell; with a single
    seed, one of up to 0.3 points.
    """
    return [_claim(rows, *claim) for claim in _CLAIMS]


def _claim(rows: Mapping[str, Row], text: str, ahead: str, behind: Sequence[str]) -> Claim:
    if not {ahead, *behind} <= rows.keys():
        return Claim(text, "not measured", None)
    first = rows[ahead].mean_average_precision
    second = max((rows[name].mean_average_precision for name in behind), key=lambda one: one.mean)
    lead = round(first.mean - second.mean, 4)
    spreads = [one.spread for one in (first, second) if one.spread is not None]
    noise = max(spreads, default=_UNKNOWN_SPREAD)
    if abs(lead) <= noise:
        return Claim(text, "too close to tell", lead)
    return Claim(text, "holds" if lead > 0 else "does not hold", lead)


def _figure(values: Sequence[float]) -> Figure:
    spread = round(stdev(values), 4) if len(values) > 1 else None
    return Figure(round(fmean(values), 4), spread)
