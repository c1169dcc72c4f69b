"""The prior of transitions: how people come from one view to another where no link is known.

Most come soon, some come late, and newcomers come all the time: the evidence is how likely a person
who left is to appear now, over how likely anyone else is. Where many come and go, a single person
is seldom the one who comes, so that the prior falls with the number of people by itself.
"""

import math

# Share of the people leaving a view that another camera, or the same one, sees again.
_ELSEWHERE, _HERE = 0.5, 0.1
# Seconds to another view: log-normal for those who walk there, exponential for the rest.
_WALK_S, _WALK_SPREAD, _OFFSET_S = 12.0, 1.1, 1.0
_SLOW, _SLOW_S = 0.25, 200.0
# Probability that two views overlap, and seconds for which both show a person.
_OVERLAPPING, _TOGETHER_S = 0.3, 10.0
# A single-camera tracker loses a person who is still there, and finds them soon.
_BROKEN, _BREAK_S = 0.1, 2.0
# Before anything is learned: one newcomer a minute; this many of this many tracks show one.
_BEGINNING_S, _NEWCOMERS, _TRACKS = 60.0, 5.0, 10.0
_ROOT_2_PI = math.sqrt(2 * math.pi)


class TransitionPrior:
    """Log-odds of a person who left over a new one.

    Learned: ``newcomer_every_s``, the seconds between two new people on the site, and ``cameras``,
    the number of cameras that see people.
    """

    def __init__(self) -> None:
        self.newcomer_every_s = _BEGINNING_S
        self.cameras = 1

    def learn(self, people: int, tracks: int, cameras: int, span_s: float) -> None:
        """Update from the people, tracks and cameras of the last ``span_s`` seconds."""
        share = (people + _NEWCOMERS) / (tracks + _TRACKS)
        self.newcomer_every_s = (max(span_s, 0.0) + _BEGINNING_S) / (1 + share * tracks)
        self.cameras = max(cameras, 1)

    def memory(self) -> list[float]:
        """What was learned."""
        return [self.newcomer_every_s, self.cameras]

    def remember(self, memory: list[float]) -> None:
        """Restore what `memory` returned."""
        self.newcomer_every_s, self.cameras = memory[0], int(memory[1])

    def evidence(self, earlier: str, later: str, gap_s: float) -> float:
        """Log-odds that the person at ``later`` is the one who left ``earlier`` ``gap_s`` before.

        The gap is negative when both cameras saw the person at one time.
        """
        return math.log(_density(gap_s, here=earlier == later) * self.newcomer_every_s)


def _density(gap_s: float, *, here: bool) -> float:
    """Probability density of appearing ``gap_s`` after leaving, per second."""
    late = math.exp(-max(gap_s, 0.0) / _SLOW_S) / _SLOW_S
    if here:
        broken = math.exp(-max(gap_s, 0.0) / _BREAK_S) / _BREAK_S
        return _HERE * late + _BROKEN * broken
    if gap_s < -_OFFSET_S:
        return _ELSEWHERE * _OVERLAPPING / _TOGETHER_S
    value = max(gap_s, 0.0) + _OFFSET_S
    deviation = math.log(value / (_WALK_S + _OFFSET_S)) / _WALK_SPREAD
    walk = math.exp(-deviation * deviation / 2) / (value * _WALK_SPREAD * _ROOT_2_PI)
    return _ELSEWHERE * (1 - _OVERLAPPING) * ((1 - _SLOW) * walk + _SLOW * late)
