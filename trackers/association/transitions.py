"""When people come from one view to another where nothing is known of the ways between them.

Most come soon, some come late, and newcomers come all the time: what counts is how likely somebody
who left is to show up now, beside how likely anybody else is. Where many come and go, a single
person is seldom the one who comes, so that the prior falls with the number of people by itself.
"""

import math

# So many of those who leave a view are seen again by another camera, or by the same one.
_ELSEWHERE, _HERE = 0.5, 0.1
# How long it takes to another view: log-normal for those who walk there, exponential for the rest.
_WALK_S, _WALK_SPREAD, _SOON_S = 12.0, 1.1, 1.0
_DAWDLE, _DAWDLE_S = 0.25, 200.0
# Two views may show one place: so likely, and how long they show somebody together.
_OVERLAPPING, _TOGETHER_S = 0.1, 10.0
# A tracker loses somebody who is still there, and finds them soon.
_BROKEN, _BREAK_S = 0.1, 2.0
# At the beginning one newcomer a minute, and so many of so many tracks show one.
_BEGINNING_S, _NEWCOMERS, _TRACKS = 60.0, 5.0, 10.0
_ROOT_2_PI = math.sqrt(2 * math.pi)


class Transitions:
    """Log-odds of somebody who left over somebody new.

    ``newcomer_every_s`` is learnt: how often somebody new comes to the site, on which as many
    ``cameras`` see people.
    """

    def __init__(self) -> None:
        self.newcomer_every_s = _BEGINNING_S
        self.cameras = 1

    def learn(self, people: int, tracks: int, cameras: int, span_s: float) -> None:
        """Take how many people, tracks and cameras there were in the last so many seconds."""
        share = (people + _NEWCOMERS) / (tracks + _TRACKS)
        self.newcomer_every_s = (max(span_s, 0.0) + _BEGINNING_S) / (1 + share * tracks)
        self.cameras = max(cameras, 1)

    def memory(self) -> list[float]:
        """What was learnt."""
        return [self.newcomer_every_s, self.cameras]

    def remember(self, memory: list[float]) -> None:
        """Take back what `memory` gave."""
        self.newcomer_every_s, self.cameras = memory[0], int(memory[1])

    def evidence(self, earlier: str, later: str, gap_s: float) -> float:
        """Log-odds that who comes to ``later``, ``gap_s`` after somebody left ``earlier``, is them.

        The gap is negative when both cameras saw them at one time.
        """
        return math.log(_density(gap_s, here=earlier == later) * self.newcomer_every_s)


def _density(gap_s: float, *, here: bool) -> float:
    """Of all who left, those who come after ``gap_s``, a second."""
    late = math.exp(-max(gap_s, 0.0) / _DAWDLE_S) / _DAWDLE_S
    if here:
        broken = math.exp(-max(gap_s, 0.0) / _BREAK_S) / _BREAK_S
        return _HERE * late + _BROKEN * broken
    if gap_s < -_SOON_S:
        return _ELSEWHERE * _OVERLAPPING / _TOGETHER_S
    value = max(gap_s, 0.0) + _SOON_S
    deviation = math.log(value / (_WALK_S + _SOON_S)) / _WALK_SPREAD
    walk = math.exp(-deviation * deviation / 2) / (value * _WALK_SPREAD * _ROOT_2_PI)
    return _ELSEWHERE * (1 - _OVERLAPPING) * ((1 - _DAWDLE) * walk + _DAWDLE * late)
