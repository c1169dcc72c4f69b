"""The table of a soak, and the bounds that it exceeds."""

import math
import signal
from collections import Counter
from collections.abc import Iterator

from . import figures
from .drive import Soak
from .figures import BACK_S, GAP_S, FaultOutcome, percentile
from .site import RESIZED

#: Maximum delay from capture to identity, 95th percentile, without faults.
DELAY_S = 2.0
#: Maximum delay at any time: a lost camera is waited for during `live.late_s`.
DELAY_FAULT_S = 8.0
#: Maximum memory after warm-up, relative to the end of the warm-up.
GROWTH = 1.05
#: Maximum number of entries in a stream.
ENTRIES = 1000
_STOPPED = 128 + signal.SIGTERM


def table(found: Soak, outcomes: list[FaultOutcome]) -> dict[str, object]:
    """The measured figures by name."""
    observed = found.observed
    cameras = figures.by_camera(observed.cameras)
    calm = figures.delays(observed.identities, outcomes, quiet=True)
    every = figures.delays(observed.identities, outcomes, quiet=False)
    latencies = [one.at - one.start for one in observed.identities if one.start is not None]
    warm = figures.after_warm_up(found.samples, found.warm_s)
    kinds = Counter(o.fault.kind for o in outcomes)
    return {
        "minutes": round(found.seconds / 60, 1),
        "frames": found.frames,
        "dropped": found.dropped,
        "frames processed, %": share(found),
        "faults": dict(kinds),
        "size changes in mid-stream": figures.size_changes(cameras.get(RESIZED, [])),
        "recovery after a fault, s, max": worst(o.back for o in outcomes),
        "gap of other cameras, s, max": worst(o.others_gap for o in outcomes),
        "unexplained gaps": figures.unexplained(cameras, outcomes),
        "memory, MB, after warm-up: min, max": spread([s.rss_mb for s in warm]),
        "private memory, MB, after warm-up: min, max": spread([s.private_mb for s in warm]),
        "memory slope, MB/hour (95 %)": slope_text(figures.memory_slope(warm)),
        "Redis' process, slope, MB/hour (95 %)": slope_text(figures.server_slope(warm)),
        "Redis memory, MB, max": worst(s.redis_mb for s in found.samples if s.redis_mb),
        "entries per stream, max": figures.most_entries(found.samples),
        "capture to identity, s, without faults: p50, p95, n": delay_row(calm),
        "capture to identity, s, all: p50, p95, max": [*delay_row(every)[:2], worst(every)],
        "track start to identity, s: p50, p95": delay_row(latencies)[:2],
        "identity events": len(observed.identities),
        "tracks started, ended, recorded": [
            *(len(observed.begun), len(observed.ended), len(found.recorded)),
        ],
        "messages, unusable, missed by the monitor": [
            observed.messages,
            observed.dead,
            observed.missed,
        ],
        "exit code after SIGTERM": found.status,
        "files with a password": found.leaks,
    }


def broken(found: Soak, outcomes: list[FaultOutcome]) -> list[str]:
    """One line for each bound that is exceeded."""
    return [*_lost(found), *_late(found, outcomes), *_held(found), *_ended(found)]


def _lost(found: Soak) -> Iterator[str]:
    observed, recorded = found.observed, set(found.recorded)
    counts = {
        "ended tracks are not recorded": len(observed.ended - recorded),
        "recorded tracks never ended": len(recorded - observed.ended),
        "started tracks never ended": len(set(observed.begun) - observed.ended),
        "tracks are recorded twice": len(found.recorded) - len(recorded),
        "messages could not be used": observed.dead,
        "messages were missed by the monitor": observed.missed,
        "files contain a password": len(found.leaks),
    }
    yield from (f"{count} {what}" for what, count in counts.items() if count)
    if not recorded:
        yield "no tracks were recorded"


def _late(found: Soak, outcomes: list[FaultOutcome]) -> Iterator[str]:
    for o in outcomes:
        if not o.survived:
            yield (
                f"{o.fault.kind} {o.fault.camera} at {o.fault.at:.0f} s: "
                f"live again after {o.back:.1f} s (at most {BACK_S}), "
                f"others without frames for {o.others_gap:.1f} s (at most {GAP_S})"
            )
    if gaps := figures.unexplained(figures.by_camera(found.observed.cameras), outcomes):
        yield f"{gaps} unexplained gaps"
    calm = percentile(figures.delays(found.observed.identities, outcomes, quiet=True), 95)
    if not calm <= DELAY_S:
        yield f"capture to identity, without faults, p95: {calm:.2f} s, at most {DELAY_S}"
    most = max(figures.delays(found.observed.identities, outcomes, quiet=False), default=math.nan)
    if not most <= DELAY_FAULT_S:
        yield f"capture to identity: {most:.1f} s, at most {DELAY_FAULT_S}"


def _held(found: Soak) -> Iterator[str]:
    warm = figures.after_warm_up(found.samples, found.warm_s)
    slopes = {"memory": figures.memory_slope(warm), "Redis": figures.server_slope(warm)}
    for name, slope in slopes.items():
        if figures.is_growth(slope, warm):
            yield f"{name} grows: {slope_text(slope)} MB/hour"
    if warm and (most := max(s.rss_mb for s in warm)) > GROWTH * warm[0].rss_mb:
        yield f"memory: {most:.0f} MB after {warm[0].rss_mb:.0f} MB, at most {GROWTH} times that"
    for stream, count in figures.most_entries(found.samples).items():
        if count > ENTRIES:
            yield f"{count} entries in {stream}, at most {ENTRIES}"


def _ended(found: Soak) -> Iterator[str]:
    if found.status != _STOPPED:
        yield f"the run ended with {found.status}, expected {_STOPPED} after SIGTERM"


def slope_text(slope: figures.Slope | None) -> str:
    """A slope with its error, and whether it is significant."""
    if slope is None:
        return "too few samples"
    nil = "" if slope.grows else ", not significant" if slope.nil else ", shrinking"
    return f"{slope.per_hour:+.1f} ± {slope.error:.1f}{nil}"


def delay_row(values: list[float]) -> list[float]:
    """Median, 95th percentile and count."""
    return [*(round(percentile(values, share), 2) for share in (50, 95)), len(values)]


def share(found: Soak) -> float:
    """The percentage of received frames that were processed."""
    processed, dropped = sum(found.frames.values()), sum(found.dropped.values())
    return round(100 * processed / (processed + dropped), 1) if processed else 0.0


def spread(values: list[float]) -> list[float]:
    """Minimum and maximum."""
    return [round(min(values), 1), round(max(values), 1)] if values else []


def worst(values: Iterator[float] | list[float]) -> float:
    """The maximum; nan without values."""
    return round(max(values, default=math.nan), 1)
