"""The error shown to users: one line that names the thing, what was expected and what to do."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches


class UserError(Exception):
    """Invalid input or a missing resource. The command line prints one line and exits with 2."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UserError:
    """The error for an unknown name, with the most similar known name and the list of all."""
    choices = sorted(known)
    near = get_close_matches(name, choices, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return UserError(f"unknown {kind} {name!r}.{hint} Known: {', '.join(choices)}")


@contextmanager
def writing(what: object, advice: str = "") -> Iterator[None]:
    """Turn an OSError of the block into ``cannot write WHAT: its reason. ADVICE``."""
    try:
        yield
    except OSError as error:
        expected = f". {advice}" if advice else ""
        raise UserError(f"cannot write {what}: {error.strerror or error}{expected}") from error
