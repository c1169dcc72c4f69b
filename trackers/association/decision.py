"""When the association decides, and what a decision says."""

import math
from dataclasses import dataclass, field

from trackers.association.appearance import Calibration
from trackers.association.motion import Limits
from trackers.association.topology import Topology
from trackers.tracklet import TrackletKey

#: The states of a track. One without a decision is unknown.
PROBABLE, CONFIRMED = "probable", "confirmed"


@dataclass(frozen=True, slots=True)
class Rules:
    """When to decide and what is possible; times in seconds of event time.

    A tracklet is decided after ``evidence_s`` with ``min_exemplars``, or when it is closed. It
    joins an identity at a probability above ``min_confidence``. What was not seen for longer than
    ``gallery_s`` is forgotten: identities, and the exemplars and paths of old tracklets. Given
    transitions between cameras are in ``topology``; the others are learned. Decisions on tracklets
    that ended within the last ``refine_s`` may be corrected; 0 corrects nothing before the finish.
    """

    evidence_s: float
    min_exemplars: int
    min_confidence: float
    gallery_s: float
    limits: Limits
    calibration: Calibration
    topology: Topology = field(default_factory=Topology)
    refine_s: float = 120.0


@dataclass(frozen=True, slots=True)
class Decision:
    """A track shows a person, from now on.

    ``kind`` is assigned for the first decision on a track; merged when two identities became one;
    split when the rest of a track shows another person than its beginning, or when the tracks of
    an identity are those of two people; reassigned when a track shows another person instead;
    confirmed when nothing changes but the state; doubted when it was confirmed and is not any more.
    ``confidence`` is a probability, and ``state`` probable or confirmed. It is about what the track
    shows from ``since`` on, seconds UTC, until the ``since`` of another decision on it; None stands
    for its start. ``runners_up`` are the next two people that a first decision could have been for,
    the likeliest first, each with its probability against a new person.
    """

    key: TrackletKey
    global_id: int
    confidence: float
    kind: str
    reason: str
    since: float | None = None
    state: str = PROBABLE
    runners_up: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Clarity:
    """How clear a decision was: the log-odds of the person over any other, and the global ids of
    the best other candidates."""

    margin: float
    rivals: tuple[int, ...]


def probability(log_odds: float) -> float:
    """In 0..1."""
    if log_odds < -700:
        return 0.0
    return 1 / (1 + math.exp(-log_odds))


def log_odds(probability: float) -> float:
    """Of a probability, which may be 0 or 1; always finite."""
    bounded = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(bounded / (1 - bounded))
