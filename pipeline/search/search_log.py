"""The log of searches: who asked what, and when.

RUN/searches.jsonl has one JSON object a line, readable for the owner of the run alone.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.errors import writing
from pipeline.run_directory.durable import append_line
from pipeline.run_directory.selection import Selection
from pipeline.user import user_name

NAME = "searches.jsonl"
_LONGEST_TEXT = 1000


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks (``who``), and ``via`` what: command line, api or python."""

    who: str
    via: str


def user(via: str) -> Asker:
    """The user of this computer."""
    return Asker(user_name(), via)


def write_entry(
    root: Path,
    asker: Asker,
    now: float,
    asked: dict[str, object],
    selection: Selection,
    *,
    found: Sequence[int] | None = None,
    refused: str | None = None,
) -> None:
    """Add a search to the log of the run directory ``root``; ``now`` is seconds UTC.

    ``found`` are the global ids that were given, ``refused`` is why there are none. Raises
    UserError when it cannot be written: the result of a search that is not logged is not given.
    """
    entry = {
        "time": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds"),
        "who": asker.who,
        "via": asker.via,
        **{name: _short(value) for name, value in asked.items() if value is not None},
        **_part(selection),
        **({} if found is None else {"found": list(found)}),
        **({} if refused is None else {"refused": refused}),
    }
    with writing(f"the log of searches {root / NAME}", "Without it nothing is searched"):
        append_line(root / NAME, json.dumps(entry, ensure_ascii=False))


def _short(value: object) -> object:
    return value[:_LONGEST_TEXT] if isinstance(value, str) else value


def _part(selection: Selection) -> dict[str, object]:
    # JSON has no infinity.
    times = {"since": selection.since, "until": selection.until}
    part: dict[str, object] = {name: t for name, t in times.items() if abs(t) != float("inf")}
    if selection.cameras is not None:
        part["cameras"] = sorted(selection.cameras)
    return part
