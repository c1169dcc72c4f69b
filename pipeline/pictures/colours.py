"""A colour for each global id: the same in all cameras, in videos and in the report."""

from math import cos, radians, sin

_GOLDEN_ANGLE_DEG = 137.50776
_GREY = (110, 110, 110)
# OKLCH: hues at this lightness look equally bright, and white text on them stays readable.
_LIGHTNESS = 0.52
_CHROMA = 0.17


def colour_of(global_id: int | None) -> tuple[int, int, int]:
    """The BGR colour (0 to 255) of a person; grey for None, a track without an identity."""
    red, green, blue = _rgb_of(global_id)
    return blue, green, red


def css_colour(global_id: int | None) -> str:
    """The same colour as ``#rrggbb`` for a web page."""
    return "#{:02x}{:02x}{:02x}".format(*_rgb_of(global_id))


def _rgb_of(global_id: int | None) -> tuple[int, int, int]:
    if global_id is None:
        return _GREY
    hue = radians(global_id * _GOLDEN_ANGLE_DEG)
    return _oklab_to_rgb(_LIGHTNESS, _CHROMA * cos(hue), _CHROMA * sin(hue))


def _oklab_to_rgb(lightness: float, a: float, b: float) -> tuple[int, int, int]:
    """OKLab to sRGB, 0 to 255; a colour outside sRGB is clipped."""
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        _to_byte(4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short),
        _to_byte(-1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short),
        _to_byte(-0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short),
    )


def _to_byte(linear: float) -> int:
    """Linear light, 0 to 1, to an sRGB byte."""
    clipped = min(max(linear, 0.0), 1.0)
    encoded = 12.92 * clipped if clipped <= 0.0031308 else 1.055 * clipped ** (1 / 2.4) - 0.055
    return round(255 * encoded)
