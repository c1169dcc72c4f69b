"""The map of a report: the ways of people on the ground seen from above, in units of its SVG."""

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.report.ground import Paths

_WIDTH, _MARGIN_M = 1000.0, 1.0
_MOST_HEIGHT = 900.0
# The grid has at most this many lines in each direction.
_GRID_M = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
_MOST_LINES = 16

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class GroundMap:
    """A drawing of ``width`` x ``height`` units. ``ways`` are global id and SVG path, ``eyes``
    cameras with their places, ``columns`` and ``rows`` the lines of a grid of ``step_m`` metres.
    """

    width: float
    height: float
    step_m: float
    columns: list[float]
    rows: list[float]
    ways: list[tuple[int, str, Point]]
    eyes: list[tuple[str, Point]]


def map_of(paths: Paths, eyes: Mapping[str, Point]) -> GroundMap | None:
    """The map of ``paths`` with the cameras at ``eyes``, y upwards; None without any path.

    Cameras far away from all paths are left out.
    """
    points = [point for lines in paths.values() for line in lines for point in line]
    if not points:
        return None
    near = {name: eye for name, eye in eyes.items() if _is_near(eye, points)}
    left, bottom, right, top = _bounds([*points, *near.values()])
    scale = min(_WIDTH / (right - left), _MOST_HEIGHT / (top - bottom))

    def drawn(point: Point) -> Point:
        return round((point[0] - left) * scale, 1), round((top - point[1]) * scale, 1)

    span = max(right - left, top - bottom)
    step = next((step for step in _GRID_M if span / step <= _MOST_LINES), span)
    return GroundMap(
        width=round((right - left) * scale, 1),
        height=round((top - bottom) * scale, 1),
        step_m=step,
        columns=[drawn((x, 0.0))[0] for x in _multiples(left, right, step)],
        rows=[drawn((0.0, y))[1] for y in _multiples(bottom, top, step)],
        ways=[
            (
                person,
                " ".join(_path([drawn(p) for p in line]) for line in lines),
                drawn(lines[-1][-1]),
            )
            for person, lines in sorted(paths.items())
        ],
        eyes=[(name, drawn(eye)) for name, eye in sorted(near.items())],
    )


def _bounds(points: list[Point]) -> tuple[float, float, float, float]:
    x, y = zip(*points, strict=True)
    return min(x) - _MARGIN_M, min(y) - _MARGIN_M, max(x) + _MARGIN_M, max(y) + _MARGIN_M


def _is_near(eye: Point, points: list[Point]) -> bool:
    """Whether a camera is no farther from the paths than these reach."""
    left, bottom, right, top = _bounds(points)
    reach = max(right - left, top - bottom, 10.0)
    return left - reach <= eye[0] <= right + reach and bottom - reach <= eye[1] <= top + reach


def _multiples(first: float, last: float, step: float) -> list[float]:
    return [n * step for n in range(int(first // step) + 1, int(last // step) + 1)]


def _path(points: list[Point]) -> str:
    # A line of no length is drawn as a dot by its round ends.
    (x, y), *others = points if len(points) > 1 else points * 2
    return f"M{x:g} {y:g}L" + " ".join(f"{a:g} {b:g}" for a, b in others)
