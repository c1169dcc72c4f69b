"""Output of the command line: results on stdout, everything else on stderr."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def console() -> Console:
    """The console for tables; 160 columns wide when stdout is not a terminal.

    Text is printed literally: a path may contain [brackets] or :colons:.
    """
    from rich.console import Console

    width = None if sys.stdout.isatty() else 160
    return Console(width=width, markup=False, emoji=False, highlight=False)


def table_of(*columns: str, title: str | None = None) -> Table:
    """An empty table that wraps long cells and never truncates them."""
    from rich.table import Table

    table = Table(title=title)
    for name in columns:
        table.add_column(name, overflow="fold")
    return table


def say(text: str) -> None:
    """Print one line of information on stderr."""
    from rich.console import Console

    from pipeline.monitoring import logs

    with _ignoring_full_stderr():
        if logs.is_json():
            sys.stderr.write(logs.format_line(logging.INFO, text) + "\n")
            return
        Console(stderr=True, highlight=False, emoji=False, soft_wrap=True).print(text, markup=False)


def fail(message: str) -> None:
    """Print an error on stderr, always as a single line."""
    from pipeline.monitoring import logs

    with _ignoring_full_stderr():
        sys.stderr.write(logs.format_line(logging.ERROR, " ".join(message.split())) + "\n")


@contextmanager
def _ignoring_full_stderr() -> Iterator[None]:
    """What cannot be said must not change how a command ends."""
    try:
        yield
    except OSError:
        # Otherwise the interpreter writes it again at exit.
        sys.stderr = open(os.devnull, "w", encoding="utf-8")
