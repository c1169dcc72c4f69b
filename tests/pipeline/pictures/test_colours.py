"""Colours: stable, apart from each other, readable under white text."""

import colorsys

from pipeline.pictures.colours import colour_of, css_colour


def contrast_with_white(bgr: tuple[int, int, int]) -> float:
    """The WCAG contrast ratio."""
    blue, green, red = (
        c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in bgr
    )
    return 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)


def test_the_page_and_the_video_show_the_same_colour() -> None:
    for global_id in (None, 0, 1, 2, 37, 10**12):
        blue, green, red = colour_of(global_id)
        assert css_colour(global_id) == f"#{red:02x}{green:02x}{blue:02x}"


def test_a_colour_never_changes() -> None:
    assert css_colour(1) == "#2d7d00"
    assert css_colour(2) == "#505ac8"


def test_white_text_is_readable_on_every_colour() -> None:
    for global_id in (None, *range(1000)):
        assert contrast_with_white(colour_of(global_id)) >= 4.5, global_id


def test_the_first_people_are_far_apart_in_hue() -> None:
    hues = sorted(
        colorsys.rgb_to_hsv(red, green, blue)[0] * 360
        for blue, green, red in (colour_of(global_id) for global_id in range(1, 9))
    )
    gaps = [b - a for a, b in zip(hues, [*hues[1:], hues[0] + 360], strict=True)]
    assert min(gaps) > 12


def test_only_the_unidentified_are_grey() -> None:
    assert len(set(colour_of(None))) == 1
    for global_id in range(1000):
        assert max(colour_of(global_id)) - min(colour_of(global_id)) > 60
