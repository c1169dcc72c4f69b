"""The console colours people as the pictures, videos and reports do."""

from pipeline.pictures.colours import css_colour
from typescript import run_typescript

IDS = [*range(2000), 10**6, 2**31]


def test_the_colours_of_people_are_those_of_python() -> None:
    found = run_typescript("colours.ts", f"[null, ...{IDS}].map(colourOf)")
    assert found == [css_colour(one) for one in (None, *IDS)]
