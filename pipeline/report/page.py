"""Render the report page from its template, style and script, and write it.

Thumbnails are data URIs, which keep the page self-contained.
"""

import base64
import hashlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from urllib.parse import quote

import cv2
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipeline.errors import writing
from pipeline.pictures.clock import Clock, duration
from pipeline.pictures.colours import css_colour
from pipeline.report.counts import charts_of
from pipeline.report.map import map_of
from pipeline.report.summary import Summary, summarise
from pipeline.run_directory.layout import MOSAIC, file_inside
from pipeline.run_directory.reader import RunDirectory
from reid_model.atomic_file import replacing

_HERE = Path(__file__).parent
# Twice the displayed height, for high-resolution screens.
_MOST_HEIGHT_PX = 240


def write_report(run: RunDirectory, out: Path | None = None) -> Path:
    """Write the page of ``run`` to ``out`` (default: RUN/report.html) and return its path.

    Style, script and thumbnails are embedded; nothing is loaded from elsewhere. The same run gives
    the same bytes. Raises UserError when ``out`` cannot be written.
    """
    path = out if out is not None else run.path / "report.html"
    summary = summarise(run)
    write_page(path, "report", _page(summary, run.path, _videos(summary, run.path, path)))
    return path


def write_page(path: Path, kind: str, page: str) -> None:
    """Write a ``page`` for its owner alone. Raises UserError, which calls it ``kind``."""
    expected = "Expected a file in a folder that exists and can be written"
    with writing(f"the {kind} {path}", expected), replacing(path) as partial:
        # It says who was where, and may hold pictures of people.
        partial.touch(mode=0o600)
        partial.write_text(page, encoding="utf-8")


def templates(clock: Clock) -> Environment:
    """The templates beside this file, which show times of ``clock``."""
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "moment": clock.moment,
        "time": clock.time,
        "percent": lambda share: f"{100 * share:.4g}",
        "duration": duration,
        "css_colour": css_colour,
        "thousands": lambda number: f"{number:,}",
        "area": _area,
    }
    return environment


def style() -> Markup:
    """The style of all pages."""
    return Markup((_HERE / "report.css").read_text(encoding="utf-8"))


def _videos(summary: Summary, root: Path, page: Path) -> dict[str, tuple[str, float]]:
    """The videos of the run beside ``page``: by camera, the link and the time of its first frame.

    A page elsewhere has none: its links would tell where the run lies.
    """
    if page.resolve().parent != root.resolve():
        return {}
    cameras = [count.camera for count in summary.cameras if count.camera is not None]
    names = {camera.camera_id: f"video/{camera.camera_id}.mp4" for camera in cameras}
    return {
        camera.camera_id: (quote(names[camera.camera_id]), camera.start)
        for camera in cameras
        if (root / names[camera.camera_id]).is_file()
    }


def _moment_in(
    videos: Mapping[str, tuple[str, float]], moment: float, camera_id: str
) -> str | None:
    """A link to a moment, seconds UTC, in the video of a camera; None without a video."""
    if camera_id not in videos:
        return None
    link, start = videos[camera_id]
    return f"{link}#t={max(moment - start, 0.0):.1f}"


def _page(summary: Summary, root: Path, videos: Mapping[str, tuple[str, float]]) -> str:
    environment = templates(summary.clock)
    environment.filters["data_uri"] = partial(data_uri, root)
    environment.filters["in_video"] = partial(_moment_in, videos)
    script = (_HERE / "report.js").read_text(encoding="utf-8")
    return environment.get_template("report.html.jinja").render(
        summary=summary,
        clock=summary.clock,
        map=map_of(summary.paths, summary.eyes),
        mosaic=MOSAIC if videos and (root / MOSAIC).is_file() else None,
        **charts_of(summary.statistics, summary.clock),
        style=style(),
        script=Markup(script),
        # The browser runs only this script, whatever the data contains.
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _area(values: list[int], most: int) -> str:
    """An SVG path of the area below ``values``: steps one unit wide, up to ``most`` units high."""
    steps = "".join(f"V{most - value}h1" for value in values)
    return f"M0 {most}{steps}V{most}Z"


def data_uri(root: Path, relative: str) -> str | None:
    """The picture ``relative`` to ``root`` as a small JPEG data URI.

    None when there is no such picture below ``root`` or it is damaged.
    """
    path = file_inside(root, relative)
    if path is None:
        return None
    data = np.frombuffer(path.read_bytes(), np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if image is None:
        return None
    jpeg = cv2.imencode(".jpg", _shrunk(image), [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode()


def _shrunk(image: cv2.typing.MatLike) -> cv2.typing.MatLike:
    height, width = image.shape[:2]
    if height <= _MOST_HEIGHT_PX:
        return image
    size = (max(1, round(width * _MOST_HEIGHT_PX / height)), _MOST_HEIGHT_PX)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
