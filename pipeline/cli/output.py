"""How the command line talks: results on stdout, everything else on stderr."""

import sys

from rich.console import Console


def console() -> Console:
    """Where tables are printed; wide enough for them where nobody is looking."""
    return Console(width=None if sys.stdout.isatty() else 160)


def say(text: str) -> None:
    """One line for a person, on stderr."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(text, markup=False)


def fail(message: str) -> None:
    """The one line of an error, on stderr, whatever it contains."""
    sys.stderr.write(f"fusetrack: {' '.join(message.split())}\n")
