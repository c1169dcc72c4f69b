"""The pure parts of `./scripts/bench soak`: its faults, its figures and its bounds."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from scripts.benches.soaking import figures, verdict
from scripts.benches.soaking.drive import Soak
from scripts.benches.soaking.faults import LASTS, SETTLE_S, SLOT_S, plan
from scripts.benches.soaking.figures import BACK_S, GAP_S, FaultOutcome, gaps, outcome, slope
from scripts.benches.soaking.record import CameraReport, Fault, IdentityEvent, Sample, StreamLog

CAMERAS = ("gate", "hall", "till", "yard")
GONE = Fault("gone", "gate", 10.0, 20.0)
REDIS = Fault("redis", "", 10.0, 10.0)


def seen(camera: str, ends: Iterable[float]) -> list[CameraReport]:
    """Messages of a camera whose last frames are at ``ends``."""
    return [CameraReport(camera, float(end), 0, 0, (64, 48), "") for end in ends]


def whole(**changes: object) -> Soak:
    """A soak of a minute without any problem."""
    observed = StreamLog(
        cameras=[one for name in CAMERAS for one in seen(name, range(60))],
        identities=[
            IdentityEvent(at=moment + 0.5, moment=moment, start=moment - 2) for moment in range(60)
        ],
        ended={("gate", 1)},
        begun={("gate", 1): 3.0},
        messages=300,
    )
    soak = Soak(
        seconds=60,
        warm_s=10,
        observed=observed,
        samples=[Sample(at, 500.0, 400.0, 5.0, {"tracklets": 40}) for at in range(60)],
        faults=[],
        recorded=[("gate", 1)],
        frames={},
        dropped={},
        status=143,
        log="",
        leaks=[],
    )
    return replace(soak, **changes)  # type: ignore[arg-type]


def broken(soak: Soak, outcomes: list[FaultOutcome] | None = None) -> list[str]:
    return verdict.broken(soak, outcomes or [])


def test_the_same_seed_gives_the_same_faults() -> None:
    first = plan(600, CAMERAS, "till", 1, 3.0)
    assert first == plan(600, CAMERAS, "till", 1, 3.0)
    assert first != plan(600, CAMERAS, "till", 2, 3.0)


def test_ten_minutes_hold_every_kind_and_redis_once() -> None:
    faults = plan(600, CAMERAS, "till", 1, 3.0)
    kinds = Counter(fault.kind for fault in faults)
    assert kinds.keys() == {*LASTS, "redis"}
    assert kinds["redis"] == 1
    assert len(faults) == (600 - SETTLE_S) // SLOT_S
    assert {f.camera for f in faults if f.kind == "password"} == {"till"}
    assert all(f.until - f.at > 3.0 for f in faults if f.kind == "gone")


def test_a_fault_ends_before_the_next() -> None:
    faults = plan(3600, CAMERAS, "till", 7, 3.0)
    assert all(b.at - a.until >= BACK_S for a, b in pairwise(faults))
    assert faults[-1].until <= 3600


def test_a_minute_holds_one_fault_and_seconds_none() -> None:
    assert len(plan(60, CAMERAS, "till", 1, 3.0)) == 1
    assert plan(SETTLE_S + SLOT_S - 0.1, CAMERAS, "till", 1, 3.0) == []


def test_a_camera_is_gone_for_longer_than_the_track_buffer() -> None:
    with pytest.raises(ValueError, match=r"more than 9\.0 s"):
        plan(600, CAMERAS, "till", 1, LASTS["gone"][0])


def test_slope_of_a_leak_is_found_in_noise() -> None:
    times = np.arange(0, 480.0)
    noise = np.random.default_rng(0).normal(0, 2, len(times))
    leak = slope(list(times), list(500 + 60 * times / 3600 + noise))
    assert leak is not None
    assert leak.grows
    assert abs(leak.per_hour - 60) <= leak.error


def test_constant_memory_has_no_slope() -> None:
    times = np.arange(0, 480.0)
    noise = np.random.default_rng(1).normal(0, 2, len(times))
    flat = slope(list(times), list(500 + noise))
    assert flat is not None
    assert flat.nil
    assert not flat.grows


def test_slope_of_a_line_is_that_of_the_line() -> None:
    times = [float(second) for second in range(160)]
    found = slope(times, [5 + 0.25 * second for second in times])
    assert found is not None
    assert found.per_hour == pytest.approx(900)
    assert found.error == pytest.approx(0, abs=1e-6)


def test_one_step_is_not_a_slope() -> None:
    found = slope([float(n) for n in range(480)], [500.0] * 300 + [515.0] * 180)
    assert found is not None
    assert found.nil


def test_slope_of_too_few_samples_is_unknown() -> None:
    assert slope([0.0] * 47, [1.0] * 47) is None
    assert slope([float(n) for n in range(48)], [1.0] * 48) is not None
    assert slope([], []) is None


def test_a_gap_is_longer_than_the_bound() -> None:
    assert gaps(seen("gate", [1, 1 + GAP_S])) == []
    assert gaps(seen("gate", [1, 1 + GAP_S + 0.01])) == [(1, 1 + GAP_S + 0.01)]
    assert gaps(seen("gate", [1, 1, 1, 2])) == []
    assert gaps([]) == []


def test_a_camera_is_back_with_its_first_frame_after_the_fault() -> None:
    cameras = {"gate": seen("gate", [8, 9, 10, 23, 24]), "hall": seen("hall", range(30))}
    found = outcome(GONE, cameras)
    assert (found.back, found.others_gap) == (3.0, 1.0)
    assert found.survived


def test_a_camera_that_never_comes_back_is_not_survived() -> None:
    found = outcome(GONE, {"gate": seen("gate", [8, 9, 10]), "hall": seen("hall", range(60))})
    assert found.back == math.inf
    assert not found.survived


def test_the_exact_bounds_are_survived() -> None:
    assert FaultOutcome(GONE, BACK_S, GAP_S).survived
    assert not FaultOutcome(GONE, BACK_S + 0.1, GAP_S).survived
    assert not FaultOutcome(GONE, BACK_S, GAP_S + 0.1).survived


def test_a_gap_of_another_camera_counts_until_the_first_is_back() -> None:
    gate = seen("gate", [9, 10, 23])
    during = {"gate": gate, "hall": seen("hall", [15, 19])}
    after = {"gate": gate, "hall": seen("hall", [23, 29])}
    assert outcome(GONE, during).others_gap == 4.0
    assert outcome(GONE, after).others_gap == 0.0


def test_a_redis_fault_affects_all_cameras() -> None:
    cameras = {"gate": seen("gate", [9, 12]), "hall": seen("hall", [9, 14])}
    found = outcome(REDIS, cameras)
    assert (found.back, found.others_gap) == (4.0, 0.0)
    assert figures.unexplained(cameras, [found]) == 0


def test_a_gap_needs_a_fault_of_its_own_camera() -> None:
    cameras = {"gate": seen("gate", [9, 10, 23]), "hall": seen("hall", [9, 15, 16])}
    found = outcome(GONE, cameras)
    assert figures.unexplained(cameras, [found]) == 1
    assert figures.unexplained({"gate": cameras["gate"]}, [found]) == 0
    assert figures.unexplained({"gate": cameras["gate"]}, []) == 1


def test_quiet_delays_exclude_the_time_around_a_fault() -> None:
    identities = [
        IdentityEvent(moment + 1.0, moment, moment) for moment in (7.9, 8.0, 23.0, 25.0, 25.1)
    ]
    found = [FaultOutcome(GONE, 3.0, 1.0)]
    assert len(figures.delays(identities, found, quiet=True)) == 2
    assert len(figures.delays(identities, found, quiet=False)) == 5
    assert figures.delays([], found, quiet=True) == []


def test_size_changes_are_counted() -> None:
    one, two = seen("yard", [1, 2])
    assert figures.size_changes([one, replace(two, size=(32, 24)), one, one]) == 2
    assert figures.size_changes([]) == 0


def test_no_bound_is_exceeded() -> None:
    assert broken(whole()) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"recorded": [("gate", 1), ("gate", 2)]}, "1 recorded tracks never ended"),
        ({"recorded": [("gate", 1), ("gate", 1)]}, "1 tracks are recorded twice"),
        ({"status": 0}, "the run ended with 0, expected 143"),
        ({"leaks": ["log"]}, "1 files contain a password"),
        ({"samples": [Sample(1, 5.0, 4.0, 1.0, {"tracklets": 1001})]}, "1001 entries in tracklets"),
        ({"samples": [Sample(n, 500 + n / 20, n / 20) for n in range(300)]}, "memory grows"),
        (
            {"samples": [Sample(n, 500, server_mb=50 + n / 20) for n in range(300)]},
            "Redis grows",
        ),
        ({"samples": [Sample(n, 526 if n == 250 else 500) for n in range(300)]}, "memory: 526 MB"),
    ],
)
def test_an_exceeded_bound_is_reported(changes: dict[str, object], said: str) -> None:
    (line,) = broken(whole(**changes))
    assert said in line


def test_an_unrecorded_end_is_reported() -> None:
    soak = whole()
    soak.observed.ended.add(("hall", 4))
    soak.observed.begun[("hall", 4)] = 9.0
    assert broken(soak) == ["1 ended tracks are not recorded"]


def test_a_track_without_an_end_is_reported() -> None:
    soak = whole()
    soak.observed.begun[("hall", 4)] = 9.0
    assert broken(soak) == ["1 started tracks never ended"]


def test_an_empty_soak_is_reported() -> None:
    lines = broken(whole(observed=StreamLog(), recorded=[]))
    assert "no tracks were recorded" in lines
    assert any("capture to identity" in line for line in lines)


def test_a_fault_that_is_not_survived_is_reported() -> None:
    (line,) = broken(whole(), [FaultOutcome(GONE, 17.0, 1.0)])
    assert line.startswith("gone gate at 10 s: live again after 17.0 s (at most 15.0)")


def test_a_late_identity_is_reported() -> None:
    soak = whole()
    soak.observed.identities.append(IdentityEvent(at=40.1, moment=32.0, start=30.0))
    assert broken(soak) == ["capture to identity: 8.1 s, at most 8.0"]


def test_the_share_of_processed_frames() -> None:
    assert verdict.share(whole(frames={"gate": 90, "hall": 90}, dropped={"gate": 20})) == 90.0
    assert verdict.share(whole()) == 0.0


def test_the_table_of_an_empty_soak_can_be_made() -> None:
    table = verdict.table(whole(observed=StreamLog(), samples=[], recorded=[]), [])
    assert table["memory slope, MB/hour (95 %)"] == "too few samples"
    assert table["tracks started, ended, recorded"] == [0, 0, 0]


def test_growth_below_a_hundredth_is_not_told_from_daily_business() -> None:
    for rise, growing in ((1 / 100, False), (1 / 50, True)):
        samples = [Sample(n, 500 + n * rise, n * rise) for n in range(300)]
        found = figures.memory_slope(samples)
        assert found is not None
        assert found.grows
        assert figures.is_growth(found, samples) == growing
