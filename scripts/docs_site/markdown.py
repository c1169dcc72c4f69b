"""The few pieces of Markdown that generated pages are made of."""

import re
from collections.abc import Iterable, Sequence

Row = Sequence[str]


def table(head: Row, rows: Iterable[Row]) -> str:
    """A table with the columns ``head``; nothing when there are no rows."""
    lines = [_line(head), _line(["---"] * len(head)), *map(_line, rows)]
    return "\n".join(lines) + "\n" if len(lines) > 2 else ""


def _line(cells: Row) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def code(text: object) -> str:
    """``text`` as code within a line; nothing for an empty text."""
    return f"`{text}`" if str(text) else ""


def prose(docstring: str) -> str:
    """A docstring as Markdown: its double back quotes are single ones, its lines are joined."""
    paragraphs = re.split(r"\n\s*\n", docstring.strip())
    return "\n\n".join(" ".join(part.split()).replace("``", "`") for part in paragraphs)
