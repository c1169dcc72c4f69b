"""Small files written as a whole or not at all."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def write_lines(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """JSON lines, one a row."""
    _write(path, "".join(json.dumps(row) + "\n" for row in rows))


def write_json(path: Path, values: dict[str, Any]) -> None:
    """One indented JSON object."""
    _write(path, json.dumps(values, indent=2) + "\n")


def _write(path: Path, text: str) -> None:
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
