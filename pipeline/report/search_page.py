"""The people that a search has found, as one self-contained HTML page."""

from functools import partial
from pathlib import Path

from markupsafe import Markup

from pipeline.report.page import data_uri, style, templates, write_page
from pipeline.search.found import SearchResult, clock_of


def write_search_page(result: SearchResult, out: Path, *, closest: bool = False) -> None:
    """Write the page of ``result`` to ``out``, with the ``closest`` below the threshold if asked.

    Style and thumbnails are embedded; nothing is loaded from elsewhere and no script runs. Raises
    UserError when ``out`` cannot be written.
    """
    write_page(out, "page", search_page(result, closest=closest))


def search_page(result: SearchResult, *, closest: bool = False) -> str:
    """The page as HTML."""
    environment = templates(clock_of(result.run))
    environment.filters["data_uri"] = partial(data_uri, result.run.path)
    own = Path(__file__).with_name("search.css").read_text(encoding="utf-8")
    return environment.get_template("search.html.jinja").render(
        result=result, closest=result.closest if closest else [], style=style() + Markup(own)
    )
