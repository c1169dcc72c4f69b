"""Figures computed from the observations of a soak."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import stats

from .record import CameraReport, Fault, IdentityEvent, Sample

#: Maximum seconds from the end of a fault until its camera is live again.
BACK_S = 15.0
#: A node reports a live camera once per second: more than this between reported frames is a gap.
GAP_S = 2.5
_BLOCKS = 16
_LEAST_SAMPLES = 3 * _BLOCKS
#: Less than this share of the memory is not told apart from its daily business.
LEAST_GROWTH = 0.01


@dataclass(frozen=True, slots=True)
class Slope:
    """A slope per hour, and the half-width of its 95 % confidence interval."""

    per_hour: float
    error: float

    @property
    def grows(self) -> bool:
        """Whether the slope is significantly positive."""
        return self.per_hour > self.error

    @property
    def nil(self) -> bool:
        """Whether the slope is not significantly different from zero."""
        return abs(self.per_hour) <= self.error


@dataclass(frozen=True, slots=True)
class FaultOutcome:
    """The effect of a fault: seconds from its end until its camera was ``back`` (inf: never), and
    the longest gap of the other cameras until then, seconds.
    """

    fault: Fault
    back: float
    others_gap: float

    @property
    def survived(self) -> bool:
        """Whether both are within the bounds."""
        return self.back <= BACK_S and self.others_gap <= GAP_S


def slope(times: Sequence[float], values: Sequence[float], blocks: int = _BLOCKS) -> Slope | None:
    """The slope of ``values`` over ``times`` (seconds), per hour; None for too few values.

    It is Theil and Sen's: the median of the slopes between the medians of ``blocks`` equally long
    intervals, with their 95 % confidence interval. Memory changes in steps that last and has peaks:
    a peak moves no median, one step is not a slope, many small ones are.
    """
    if len(times) < _LEAST_SAMPLES:
        return None
    place = np.linspace(0, blocks, len(times), endpoint=False).astype(int)
    hours, levels = (
        np.array([np.median(np.array(column)[place == block]) for block in range(blocks)])
        for column in (np.array(times) / 3600, values)
    )
    found, _, low, high = stats.theilslopes(levels, hours, 0.95)
    return Slope(float(found), float(max(high - found, found - low)))


def gaps(seen: Iterable[CameraReport]) -> list[tuple[float, float]]:
    """The periods, longer than `GAP_S`, without frames of a camera."""
    return [span for span in spans(seen) if span[1] - span[0] > GAP_S]


def spans(seen: Iterable[CameraReport]) -> list[tuple[float, float]]:
    """The periods between the last frames of successive messages with new frames."""
    ends = [0.0]
    for one in seen:
        if one.end > ends[-1]:
            ends.append(one.end)
    return list(pairwise(ends[1:]))


def by_camera(seen: Iterable[CameraReport]) -> dict[str, list[CameraReport]]:
    """The messages of each camera, in order."""
    found: dict[str, list[CameraReport]] = {}
    for one in seen:
        found.setdefault(one.camera, []).append(one)
    return found


def outcomes(faults: Iterable[Fault], seen: Iterable[CameraReport]) -> list[FaultOutcome]:
    """The effect of each fault."""
    cameras = by_camera(seen)
    return [outcome(fault, cameras) for fault in faults]


def outcome(fault: Fault, cameras: dict[str, list[CameraReport]]) -> FaultOutcome:
    """The effect of a fault on its camera (on all cameras for Redis) and on the others."""
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
    return FaultOutcome(fault, back, max(others, default=0.0))


def _back(moment: float, seen: list[CameraReport]) -> float:
    return min((one.end - moment for one in seen if one.end > moment), default=math.inf)


def unexplained(cameras: dict[str, list[CameraReport]], outcomes: list[FaultOutcome]) -> int:
    """The number of gaps of cameras that no fault of theirs or of Redis explains."""
    count = 0
    for name, seen in cameras.items():
        hits = [o for o in outcomes if o.fault.camera in ("", name)]
        for start, end in gaps(seen):
            count += not any(start < o.fault.until + o.back and end > o.fault.at for o in hits)
    return count


def delays(
    identities: Iterable[IdentityEvent], outcomes: list[FaultOutcome], *, quiet: bool
) -> list[float]:
    """Delays from capture to identity, seconds; ``quiet`` excludes times during or near a fault."""
    return [
        one.at - one.moment
        for one in identities
        if not (quiet and _disturbed(one.moment, outcomes))
    ]


def _disturbed(moment: float, outcomes: list[FaultOutcome]) -> bool:
    return any(o.fault.at - 2 <= moment <= o.fault.until + o.back + 2 for o in outcomes)


def percentile(values: Sequence[float], share: float) -> float:
    """A percentile; nan without values."""
    return float(np.percentile(values, share)) if len(values) else math.nan


def size_changes(seen: Iterable[CameraReport]) -> int:
    """How often the image size of a camera changed."""
    return sum(a.size != b.size for a, b in pairwise(seen))


def most_entries(samples: Iterable[Sample]) -> dict[str, int]:
    """The maximum number of entries in each stream."""
    most: dict[str, int] = {}
    for sample in samples:
        for stream, count in sample.entries.items():
            most[stream] = max(most.get(stream, 0), count)
    return most


def after_warm_up(samples: Sequence[Sample], warm_s: float) -> list[Sample]:
    """The samples from ``warm_s`` on."""
    return [sample for sample in samples if sample.at >= warm_s]


def memory_slope(samples: Sequence[Sample]) -> Slope | None:
    """The growth of the run's own memory, MB per hour."""
    return slope([sample.at for sample in samples], [sample.private_mb for sample in samples])


def server_slope(samples: Sequence[Sample]) -> Slope | None:
    """The growth of the process of Redis, MB per hour; it is another one after it was killed."""
    known = [(sample.at, sample.server_mb) for sample in samples if sample.server_mb is not None]
    return slope([at for at, _ in known], [size for _, size in known])


def is_growth(found: Slope | None, samples: Sequence[Sample]) -> bool:
    """Whether memory grows for certain, and by more than `LEAST_GROWTH` of its level meanwhile."""
    if found is None or not found.grows:
        return False
    hours = (samples[-1].at - samples[0].at) / 3600
    return found.per_hour * hours > LEAST_GROWTH * float(np.median([s.rss_mb for s in samples]))
