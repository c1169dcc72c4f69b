"""The page of statistics: occupancy, flow, lines and heat maps, without a script."""

from pathlib import Path

from pipeline.analytics.statistics import Statistics
from pipeline.pictures.clock import Clock
from pipeline.report.counts import charts_of
from pipeline.report.page import style, templates, write_page


def write_statistics(found: Statistics, out: Path) -> Path:
    """Write the page to ``out`` and return it. Raises UserError when it cannot be written."""
    write_page(out, "statistics", _page(found))
    return out


def _page(found: Statistics) -> str:
    start, end = (found.visits[name] for name in ("start", "end"))
    clock = Clock(float(start.min() or 0.0), float(end.max() or 0.0))  # type: ignore[arg-type]
    page = templates(clock).get_template("statistics.html.jinja")
    return page.render(found=found, clock=clock, style=style(), **charts_of(found, clock))
