"""Print what a bench has measured."""

import json
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table


def show(
    found: Mapping[str, Mapping[str, object]], title: str, columns: Sequence[str], *, as_json: bool
) -> None:
    """One row with ``columns`` for each of ``found``, under ``title``; or all of it as JSON.

    What a row lacks stays empty.
    """
    if as_json:
        print(json.dumps(found))
        return
    table = Table(title, *columns)
    for name, values in found.items():
        table.add_row(name, *(str(values.get(column, "")) for column in columns))
    Console().print(table)
