"""Labels on the map stand at their places and never over another."""

from itertools import combinations
from random import Random

from typescript import run_typescript

EM = 10.0


def placed(*labels: tuple[str, float, float]) -> list[list[float] | None]:
    """Where the labels stand, given text and place of each, in this order."""
    given = ", ".join(f"['{text}', [{x}, {y}]]" for text, x, y in labels)
    script = f"((all) => [{given}].map((one) => all.place(...one)))(new Labels({EM}))"
    return list(run_typescript("labels.ts", script))


def test_a_label_stands_above_its_place_and_another_elsewhere() -> None:
    first, second = placed(("gate", 50, 50), ("yard", 50, 50))
    assert first == [50.0, 38.0]
    assert second == [50.0, 62.0]


def test_no_label_covers_another() -> None:
    chance = Random(4)
    labels = [(f"camera {n}", chance.uniform(0, 300), chance.uniform(0, 200)) for n in range(25)]
    found = [one for one in placed(*labels) if one is not None]
    assert len(found) > 15
    width, height = len("camera 10") * 6.4, 12.5
    for (ax, ay), (bx, by) in combinations(found, 2):
        assert abs(ax - bx) >= width - 6.5 or abs(ay - by) >= height - 1e-9


def test_what_has_no_room_is_left_out() -> None:
    found = placed(*[("the same place", 0.0, 0.0)] * 40)
    assert None in found
    assert found.index(None) >= 6
