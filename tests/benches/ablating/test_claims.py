"""Means, standard deviations and the verdicts on claims."""

import pytest

from ablating.ablation import VARIANTS, Outcome
from ablating.claims import Claim, claims_of, rows_of


def outcome(mean_average_precision: float, minutes: float = 1.0) -> Outcome:
    return Outcome(0.9, mean_average_precision, 0.95, 1000, minutes)


def claim(found: list[Claim], start: str) -> Claim:
    return next(one for one in found if one.text.startswith(start))


def test_a_row_has_means_and_the_sample_deviation() -> None:
    row = rows_of({"mscsa": [outcome(0.5, 2.0), outcome(0.6, 4.0)]})["mscsa"]
    assert (row.mean_average_precision.mean, row.mean_average_precision.spread) == (0.55, 0.0707)
    assert (row.rank1.mean, row.rank1.spread) == (0.9, 0.0)
    assert (row.parameters, row.minutes) == (1000, 3.0)
    assert rows_of({"mscsa": [outcome(0.5)]})["mscsa"].rank1.spread is None


def test_the_papers_figures_support_its_claims() -> None:
    """MSMT17, tables 3 and 4; the modules' figures but for three are made up."""
    paper = {
        "baseline": 0.607,
        "clip-reid": 0.630,
        "tgi": 0.626,
        "mscsa": 0.653,
        "both": 0.661,
        "mscsa-1": 0.640,
        "mscsa-2": 0.645,
        "mscsa-4": 0.648,
    }
    assert paper.keys() == VARIANTS.keys()
    rows = rows_of({name: [outcome(value)] for name, value in paper.items()})
    assert {one.verdict for one in claims_of(rows)} == {"holds"}
    assert claim(claims_of(rows), "TGI alone").lead == pytest.approx(0.004)
    turned = rows_of({name: [outcome(1 - value)] for name, value in paper.items()})
    assert {one.verdict for one in claims_of(turned)} == {"does not hold"}


def test_claims_on_missing_variants_are_not_measured() -> None:
    found = claims_of(rows_of({"clip-reid": [outcome(0.6)], "mscsa": [outcome(0.7)]}))
    assert claim(found, "MSCSA helps") == Claim("MSCSA helps (over CLIP-ReID)", "holds", 0.1)
    assert claim(found, "both") == Claim("both together are best", "not measured", None)
    assert {one.verdict for one in claims_of({})} == {"not measured"}


@pytest.mark.parametrize(
    ("ahead", "verdict"),
    [(0.5707, "too close to tell"), (0.5708, "holds"), (0.42, "does not hold")],
)
def test_a_lead_within_the_spread_is_too_close(ahead: float, verdict: str) -> None:
    found = rows_of(
        {
            "clip-reid": [outcome(0.45), outcome(0.55)],  # spread 0.0707
            "mscsa": [outcome(ahead), outcome(ahead)],
        }
    )
    assert claim(claims_of(found), "MSCSA helps").verdict == verdict


@pytest.mark.parametrize(
    ("ahead", "verdict"),
    [(0.503, "too close to tell"), (0.5031, "holds"), (0.4969, "does not hold")],
)
def test_without_spreads_a_small_lead_is_too_close(ahead: float, verdict: str) -> None:
    rows = rows_of({"clip-reid": [outcome(0.5)], "mscsa": [outcome(ahead)]})
    assert claim(claims_of(rows), "MSCSA helps").verdict == verdict
