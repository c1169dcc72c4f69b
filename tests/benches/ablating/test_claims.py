"""Means, standard deviations and the verdicts on claims."""

import pytest

from ablating.ablation import VARIANTS, TrainingOutcome
from ablating.claims import Claim, claims_of, rows_of


def outcome(mean_average_precision: float, minutes: float = 1.0) -> TrainingOutcome:
    return TrainingOutcome({"market": 0.9}, {"market": mean_average_precision}, 1000, minutes)


def claim(found: list[Claim], start: str) -> Claim:
    return next(one for one in found if one.text.startswith(start))


def test_a_row_has_means_and_the_sample_deviation() -> None:
    row = rows_of({"mscsa": [outcome(0.5, 2.0), outcome(0.6, 4.0)]})["mscsa"]
    found = row.mean_average_precision["market"]
    assert (found.mean, found.spread) == (0.55, 0.0707)
    assert (row.rank1["market"].mean, row.rank1["market"].spread) == (0.9, 0.0)
    assert (row.parameters, row.minutes) == (1000, 3.0)
    assert rows_of({"mscsa": [outcome(0.5)]})["mscsa"].rank1["market"].spread is None


def test_the_papers_figures_support_its_claims() -> None:
    """MSMT17, tables 3 and 4; that of four modules is made up."""
    paper = {
        "baseline": 0.607,
        "texts": 0.630,
        "tgi": 0.626,
        "mscsa": 0.653,
        "both": 0.661,
        "mscsa-4": 0.648,
    }
    assert paper.keys() == VARIANTS.keys()
    rows = rows_of({name: [outcome(value)] for name, value in paper.items()})
    assert {one.verdict for one in claims_of(rows)} == {"holds"}
    assert claim(claims_of(rows), "TGI alone").lead == pytest.approx(0.004)
    turned = rows_of({name: [outcome(1 - value)] for name, value in paper.items()})
    assert {one.verdict for one in claims_of(turned)} == {"does not hold"}


def test_claims_are_judged_on_each_test_set() -> None:
    rows = rows_of(
        {
            "baseline": [TrainingOutcome({"a": 1.0, "b": 1.0}, {"a": 0.6, "b": 0.7}, 1, 1.0)],
            "texts": [TrainingOutcome({"a": 1.0, "b": 1.0}, {"a": 0.7, "b": 0.6}, 1, 1.0)],
        }
    )
    found = {one.set: one.verdict for one in claims_of(rows) if one.text.startswith("texts")}
    assert found == {"a": "holds", "b": "does not hold"}


def test_claims_on_missing_variants_are_not_measured() -> None:
    found = claims_of(rows_of({"texts": [outcome(0.6)], "mscsa": [outcome(0.7)]}))
    assert claim(found, "MSCSA helps") == Claim("market", "MSCSA helps (over texts)", "holds", 0.1)
    assert claim(found, "both") == Claim("market", "both together are best", "not measured", None)
    assert claims_of({}) == []


@pytest.mark.parametrize(
    ("ahead", "verdict"),
    [(0.5707, "too close to tell"), (0.5708, "holds"), (0.42, "does not hold")],
)
def test_a_lead_within_the_spread_is_too_close(ahead: float, verdict: str) -> None:
    found = rows_of(
        {
            "texts": [outcome(0.45), outcome(0.55)],  # spread 0.0707
            "mscsa": [outcome(ahead), outcome(ahead)],
        }
    )
    assert claim(claims_of(found), "MSCSA helps").verdict == verdict


@pytest.mark.parametrize(
    ("ahead", "verdict"),
    [(0.503, "too close to tell"), (0.5031, "holds"), (0.4969, "does not hold")],
)
def test_without_spreads_a_small_lead_is_too_close(ahead: float, verdict: str) -> None:
    rows = rows_of({"texts": [outcome(0.5)], "mscsa": [outcome(ahead)]})
    assert claim(claims_of(rows), "MSCSA helps").verdict == verdict
