"""The table of a soak, and which of its bounds are broken."""

import math
import signal
from collections import Counter
from collections.abc import Iterator

from . import figures
from .drive import Soak
from .figures import BACK_S, GAP_S, Outcome, percentile
from .site import RESIZED

#: From the capture of a moment to the identity that was decided on it, 95 of 100, undisturbed.
DELAY_S = 2.0
#: The same, always: a camera that is lost is waited for, for `live.late_s`.
DELAY_FAULT_S = 8.0
#: The memory after warm-up, of what it was at its end.
GROWTH = 1.05
#: No stream is ever longer.
ENTRIES = 1000
_STOPPED = 128 + signal.SIGTERM


def table(found: Soak, outcomes: list[Outcome]) -> dict[str, object]:
    """What was measured, by name."""
    heard = found.heard
    cameras = figures.by_camera(heard.cameras)
    calm = figures.delays(heard.named, outcomes, quiet=True)
    every = figures.delays(heard.named, outcomes, quiet=False)
    waits = [one.at - one.start for one in heard.named if one.start is not None]
    warm = figures.after_warm_up(found.samples, found.warm_s)
    kinds = Counter(o.fault.kind for o in outcomes)
    return {
        "minutes": round(found.seconds / 60, 1),
        "frames": found.frames,
        "dropped": found.dropped,
        "frames looked at, %": share(found),
        "faults": dict(kinds),
        "size changes in mid-stream": figures.size_changes(cameras.get(RESIZED, [])),
        "back after a fault, s, most": worst(o.back for o in outcomes),
        "gap of the others, s, most": worst(o.others_gap for o in outcomes),
        "gaps that no fault explains": figures.unexplained(cameras, outcomes),
        "memory, MB, after warm-up: least, most": spread([s.rss_mb for s in warm]),
        "of it private, MB: least, most": spread([s.private_mb for s in warm]),
        "memory slope, MB/hour (95 %)": told(figures.memory_slope(warm)),
        "Redis memory, MB, most": worst(s.redis_mb for s in found.samples if s.redis_mb),
        "entries in a stream, most": figures.most_entries(found.samples),
        "capture to identity, s, calm: p50, p95, n": delay_row(calm),
        "capture to identity, s, all: p50, p95, most": [*delay_row(every)[:2], worst(every)],
        "first seen to identity, s: p50, p95": delay_row(waits)[:2],
        "identity events": len(heard.named),
        "tracks begun, ended, recorded": [
            *(len(heard.begun), len(heard.ended), len(found.recorded)),
        ],
        "messages, unusable, missed by the watch": [heard.messages, heard.dead, heard.missed],
        "exit code after SIGTERM": found.status,
        "files with a password": found.leaks,
    }


def broken(found: Soak, outcomes: list[Outcome]) -> list[str]:
    """Each bound that does not hold, as a line."""
    return [*_lost(found), *_late(found, outcomes), *_held(found), *_ended(found)]


def _lost(found: Soak) -> Iterator[str]:
    heard, recorded = found.heard, set(found.recorded)
    counts = {
        "tracks ended and are not recorded": len(heard.ended - recorded),
        "recorded tracks never ended": len(recorded - heard.ended),
        "tracks began and never ended": len(set(heard.begun) - heard.ended),
        "tracks are recorded twice": len(found.recorded) - len(recorded),
        "messages could not be used": heard.dead,
        "messages were missed by the watch": heard.missed,
        "files hold a password": len(found.leaks),
    }
    yield from (f"{count} {what}" for what, count in counts.items() if count)
    if not recorded:
        yield "nobody was seen"


def _late(found: Soak, outcomes: list[Outcome]) -> Iterator[str]:
    for o in outcomes:
        if not o.survived:
            yield (
                f"{o.fault.kind} {o.fault.camera} at {o.fault.at:.0f} s: back after {o.back:.1f} s "
                f"(at most {BACK_S}), others without frames for {o.others_gap:.1f} s "
                f"(at most {GAP_S})"
            )
    if gaps := figures.unexplained(figures.by_camera(found.heard.cameras), outcomes):
        yield f"{gaps} gaps that no fault explains"
    calm = percentile(figures.delays(found.heard.named, outcomes, quiet=True), 95)
    if not calm <= DELAY_S:
        yield f"capture to identity, calm, p95: {calm:.2f} s, at most {DELAY_S}"
    most = max(figures.delays(found.heard.named, outcomes, quiet=False), default=math.nan)
    if not most <= DELAY_FAULT_S:
        yield f"capture to identity: {most:.1f} s, at most {DELAY_FAULT_S}"


def _held(found: Soak) -> Iterator[str]:
    warm = figures.after_warm_up(found.samples, found.warm_s)
    slope = figures.memory_slope(warm)
    if slope is not None and slope.grows:
        yield f"memory grows: {told(slope)} MB/hour"
    if warm and (most := max(s.rss_mb for s in warm)) > GROWTH * warm[0].rss_mb:
        yield f"memory: {most:.0f} MB after {warm[0].rss_mb:.0f} MB, at most {GROWTH} times that"
    for stream, count in figures.most_entries(found.samples).items():
        if count > ENTRIES:
            yield f"{count} entries in {stream}, at most {ENTRIES}"


def _ended(found: Soak) -> Iterator[str]:
    if found.status != _STOPPED:
        yield f"the run ended with {found.status}, expected {_STOPPED} after SIGTERM"


def told(slope: figures.Slope | None) -> str:
    """A slope with its error, and whether it is nil."""
    if slope is None:
        return "too short to tell"
    nil = "" if slope.grows else ", nil within the error" if slope.nil else ", it shrinks"
    return f"{slope.per_hour:+.1f} ± {slope.error:.1f}{nil}"


def delay_row(values: list[float]) -> list[float]:
    """Median, 95th percentile and count."""
    return [*(round(percentile(values, share), 2) for share in (50, 95)), len(values)]


def share(found: Soak) -> float:
    """Of the frames that came, how many were looked at, percent."""
    looked, dropped = sum(found.frames.values()), sum(found.dropped.values())
    return round(100 * looked / (looked + dropped), 1) if looked else 0.0


def spread(values: list[float]) -> list[float]:
    """Least and most."""
    return [round(min(values), 1), round(max(values), 1)] if values else []


def worst(values: Iterator[float] | list[float]) -> float:
    """The most; nan of nothing."""
    return round(max(values, default=math.nan), 1)
