"""Shapes of the charts of the page of statistics, in units of their SVG."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: Width and least height of a flow, and the width of the bar of a place in it.
FLOW_WIDTH, _FLOW_HEIGHT, BAR = 1000.0, 240.0, 14.0
_GAP, _ROW = 10.0, 22.0
# More steps than this cannot be told apart on a screen.
_MOST_STEPS = 400
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Node:
    """A place at one side of a flow: its bar from ``top``, and how many ``times`` are in it."""

    label: str
    x: float
    top: float
    height: float
    times: int


@dataclass(frozen=True, slots=True)
class Band:
    """All ways from one place to another; ``index`` is that of the origin among the nodes."""

    origin: str
    destination: str
    times: int
    people: int
    median_s: float
    path: str
    index: int


@dataclass(frozen=True, slots=True)
class Flow:
    """A Sankey diagram: ``origins`` at the left, ``destinations`` at the right, bands between.

    ``left_out`` is the number of ways, the rarest, that are not in it.
    """

    height: float
    origins: list[Node]
    destinations: list[Node]
    bands: list[Band]
    left_out: int = 0


def flow_chart(ways: Sequence[tuple[str, str, int, int, float]], most: int = 1000) -> Flow:
    """The diagram of origin, destination, times, people and median seconds of each way, of at most
    ``most``: the first, which are the most frequent."""
    rows = ways[:most]
    left = _totals((origin, times) for origin, _, times, _, _ in rows)
    right = _totals((destination, times) for _, destination, times, _, _ in rows)
    places = max(len(left), len(right))
    height = max(_FLOW_HEIGHT, places * (_GAP + _ROW))
    scale = (height - _GAP * max(places - 1, 0)) / max(sum(left.values()), 1)
    origins, destinations = _nodes(left, 0.0, scale), _nodes(right, FLOW_WIDTH - BAR, scale)
    below_left = {node.label: node.top for node in origins}
    below_right = {node.label: node.top for node in destinations}
    order = {label: number for number, label in enumerate(left)}
    ends = {label: number for number, label in enumerate(right)}
    bands = []
    for origin, destination, times, people, median_s in sorted(
        rows, key=lambda row: (order[row[0]], ends[row[1]])
    ):
        a, b, thick = below_left[origin], below_right[destination], times * scale
        path = _band(a, b, thick)
        bands.append(Band(origin, destination, times, people, median_s, path, order[origin]))
        below_left[origin], below_right[destination] = a + thick, b + thick
    return Flow(height, origins, destinations, bands, len(ways) - len(rows))


def _totals(counts: Iterable[tuple[str, int]]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for label, times in counts:
        totals[label] = totals.get(label, 0) + times
    return dict(sorted(totals.items()))


def _nodes(totals: dict[str, int], x: float, scale: float) -> list[Node]:
    nodes, top = [], 0.0
    for label, times in totals.items():
        nodes.append(Node(label, x, top, times * scale, times))
        top += times * scale + _GAP
    return nodes


def _band(left: float, right: float, thick: float) -> str:
    a, b, middle = BAR, FLOW_WIDTH - BAR, FLOW_WIDTH / 2
    return (
        f"M{a} {left:.1f}C{middle} {left:.1f} {middle} {right:.1f} {b} {right:.1f}"
        f"v{thick:.1f}C{middle} {right + thick:.1f} {middle} {left + thick:.1f} "
        f"{a} {left + thick:.1f}Z"
    )


def steps(rows: Sequence[tuple[float, int]], start: float, end: float, span_s: float) -> list[int]:
    """The values of ``rows`` (seconds UTC and value) in even steps from ``start`` to ``end``; the
    greatest where several fall into one step, 0 where there is none.
    """
    # Starts of spans are multiples, but for their rounding.
    first = int(start / span_s + _ROUNDING)
    count = max(int(end / span_s + _ROUNDING) - first, 0) + 1
    width = -(-count // _MOST_STEPS)
    values = [0] * (-(-count // width))
    for moment, value in rows:
        place = (round(moment / span_s) - first) // width
        values[place] = max(values[place], value)
    return values
