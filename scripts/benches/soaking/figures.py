"""What a soak's notes amount to."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import stats

from .record import Fault, Named, Sample, Seen

#: A fault's camera is live again this many seconds after its end at the latest.
BACK_S = 15.0
#: A node tells of a live camera once a second: more than this between two frames told is a gap.
GAP_S = 2.5
_BLOCKS = 16
_LEAST_SAMPLES = 3 * _BLOCKS


@dataclass(frozen=True, slots=True)
class Slope:
    """A slope an hour, and by how much it may be off: 95 % confidence."""

    per_hour: float
    error: float

    @property
    def grows(self) -> bool:
        """Whether it is more than nothing, beyond the error."""
        return self.per_hour > self.error

    @property
    def nil(self) -> bool:
        """Whether it may as well be nothing."""
        return abs(self.per_hour) <= self.error


@dataclass(frozen=True, slots=True)
class Outcome:
    """A fault: how long after its end its camera was ``back`` (inf: never), and the longest gap of
    the other cameras until then, seconds.
    """

    fault: Fault
    back: float
    others_gap: float

    @property
    def survived(self) -> bool:
        """Whether that is within the bounds."""
        return self.back <= BACK_S and self.others_gap <= GAP_S


def slope(times: Sequence[float], values: Sequence[float], blocks: int = _BLOCKS) -> Slope | None:
    """The slope of ``values`` over ``times`` (seconds), an hour; None for too few of them.

    It is the mean step between the means of ``blocks`` equally long parts. Memory moves in steps
    that stay, so the steps are independent and the values are not: one large step is no slope,
    many small ones are.
    """
    if len(times) < _LEAST_SAMPLES:
        return None
    place = np.linspace(0, blocks, len(times), endpoint=False).astype(int)
    hours, levels = (
        np.array([np.mean(np.array(column)[place == block]) for block in range(blocks)])
        for column in (np.array(times) / 3600, values)
    )
    steps = np.diff(levels) / np.diff(hours)
    error = stats.sem(steps) * stats.t.ppf(0.975, len(steps) - 1)
    return Slope(float(np.mean(steps)), float(error))


def gaps(seen: Iterable[Seen]) -> list[tuple[float, float]]:
    """The spans, longer than `GAP_S`, in which a camera's frames are missing."""
    return [span for span in spans(seen) if span[1] - span[0] > GAP_S]


def spans(seen: Iterable[Seen]) -> list[tuple[float, float]]:
    """From the last frame of one message of a camera to that of the next with a new one."""
    ends = [0.0]
    for one in seen:
        if one.end > ends[-1]:
            ends.append(one.end)
    return list(pairwise(ends[1:]))


def by_camera(seen: Iterable[Seen]) -> dict[str, list[Seen]]:
    """The messages of each camera, in order."""
    found: dict[str, list[Seen]] = {}
    for one in seen:
        found.setdefault(one.camera, []).append(one)
    return found


def outcomes(faults: Iterable[Fault], seen: Iterable[Seen]) -> list[Outcome]:
    """What each fault did."""
    cameras = by_camera(seen)
    return [outcome(fault, cameras) for fault in faults]


def outcome(fault: Fault, cameras: dict[str, list[Seen]]) -> Outcome:
    """What a fault did to its camera, or to all when it is that of Redis, and to the others."""
    hit = [fault.camera] if fault.camera else list(cameras)
    back = max(_back(fault.until, cameras.get(name, [])) for name in hit)
    last = fault.until + min(back, BACK_S)
    others = [
        end - start
        for name, seen in cameras.items()
        if name not in hit
        for start, end in spans(seen)
        if start < last and end > fault.at
    ]
    return Outcome(fault, back, max(others, default=0.0))


def _back(moment: float, seen: list[Seen]) -> float:
    return min((one.end - moment for one in seen if one.end > moment), default=math.inf)


def unexplained(cameras: dict[str, list[Seen]], outcomes: list[Outcome]) -> int:
    """Gaps of any camera that no fault of its own, or of Redis, explains."""
    count = 0
    for name, seen in cameras.items():
        hits = [o for o in outcomes if o.fault.camera in ("", name)]
        for start, end in gaps(seen):
            count += not any(start < o.fault.until + o.back and end > o.fault.at for o in hits)
    return count


def delays(named: Iterable[Named], outcomes: list[Outcome], *, quiet: bool) -> list[float]:
    """From capture to identity, seconds; ``quiet`` leaves out moments of a fault or soon after."""
    return [
        one.at - one.moment for one in named if not (quiet and _disturbed(one.moment, outcomes))
    ]


def _disturbed(moment: float, outcomes: list[Outcome]) -> bool:
    return any(o.fault.at - 2 <= moment <= o.fault.until + o.back + 2 for o in outcomes)


def percentile(values: Sequence[float], share: float) -> float:
    """A percentile; nan of nothing."""
    return float(np.percentile(values, share)) if len(values) else math.nan


def size_changes(seen: Iterable[Seen]) -> int:
    """How often the size of a camera's picture changed."""
    return sum(a.size != b.size for a, b in pairwise(seen))


def most_entries(samples: Iterable[Sample]) -> dict[str, int]:
    """The most entries that each stream held."""
    most: dict[str, int] = {}
    for sample in samples:
        for stream, count in sample.entries.items():
            most[stream] = max(most.get(stream, 0), count)
    return most


def after_warm_up(samples: Sequence[Sample], warm_s: float) -> list[Sample]:
    """The samples from ``warm_s`` on."""
    return [sample for sample in samples if sample.at >= warm_s]


def memory_slope(samples: Sequence[Sample]) -> Slope | None:
    """How the memory of the run grows, MB an hour."""
    return slope([sample.at for sample in samples], [sample.rss_mb for sample in samples])
