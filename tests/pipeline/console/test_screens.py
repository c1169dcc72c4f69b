"""Every screen at three sizes: it is complete, fits, is free of errors, and accessible."""

import pytest

from browsers import Browser

SIZES = {"phone": (360, 740), "desk": (1280, 800), "wall": (3840, 2160)}
#: A screen, and what is there once it is complete.
SCREENS = {
    "wall": ".tile .marks a",
    "wall/hall": ".large .facts dd",
    "people": ".person-card canvas[data-drawn]",
    "person/1": ".sheet .bar",
    "search": ".search input",
    "map": "svg.ground",
    "review": ".event",
    "system": ".table tbody tr",
    "calibrate/hall": ".snapshot",
}


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("screen", SCREENS)
def test_a_screen_fits_works_and_is_accessible(
    live: Browser, axe: str, screen: str, size: str
) -> None:
    live.resize(*SIZES[size])
    live.prefer("dark" if size == "wall" else "light")
    live.open(screen)
    live.one(SCREENS[screen])
    assert live.width() == SIZES[size][0]
    assert live.faults(axe) == []
    assert live.errors() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_of_the_page_follow_the_system(live: Browser, scheme: str) -> None:
    live.resize(*SIZES["desk"])
    live.prefer(scheme)
    live.open("people")
    live.one(".menu")
    colour = live.one("body").value_of_css_property("background-color")
    parts = [int(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    assert (sum(parts) > 3 * 128) == (scheme == "light")
