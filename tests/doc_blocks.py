"""The blocks of code in the pages of the documentation.

A comment on the line before a block says how it is treated: ``<!-- not run: reason -->``, or
``<!-- stays -->`` for a command that runs until it is stopped.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import dropwhile, takewhile
from pathlib import Path

ROOT = Path(__file__).parents[1]

_FENCE = re.compile(r"^```(?P<language>\w*)(?: title=\"(?P<title>[^\"]+)\")?$")
_MARK = re.compile(r"^<!-- (?P<kind>not run|stays)(?:: (?P<reason>.+))? -->$")


@dataclass(frozen=True)
class Block:
    """A block of code: where it stands, its language, the file that it is, and how it is run."""

    place: str
    language: str
    title: str
    text: str
    mark: str = ""
    reason: str = ""


def blocks_of(page: Path) -> list[Block]:
    """The blocks of a page, in order."""
    return list(_blocks(page.relative_to(ROOT).as_posix(), page.read_text().splitlines()))


def _blocks(name: str, lines: list[str]) -> Iterator[Block]:
    number = 0
    while number < len(lines):
        fence = _FENCE.match(lines[number])
        if fence is None:
            number += 1
            continue
        end = lines.index("```", number + 1)
        mark = _MARK.match(lines[number - 1])
        yield Block(
            place=f"{name}:{number + 1}",
            language=fence["language"],
            title=fence["title"] or "",
            text="\n".join(lines[number + 1 : end]) + "\n",
            mark=mark["kind"] if mark else "",
            reason=(mark["reason"] or "") if mark else "",
        )
        number = end + 1


def commands_in(text: str) -> list[list[str]]:
    """The arguments of every ``fusetrack`` command in the lines of a shell."""
    lines = text.replace("\\\n", " ").splitlines()
    return [arguments for line in lines for arguments in _of_line(shlex.split(line, comments=True))]


def _of_line(words: list[str]) -> Iterator[list[str]]:
    """The arguments of a line that calls ``fusetrack``, by any path and after any assignments."""
    rest = list(dropwhile(lambda word: "=" in word, words))
    if rest and Path(rest[0]).name == "fusetrack":
        yield list(takewhile(lambda word: word not in ("|", "&", "&&", ";"), rest[1:]))


def check_options(arguments: list[str]) -> None:
    """Parse the arguments of a command without running it; raises what the command line says."""
    from typer.main import get_command

    from pipeline.cli.main import app

    command, rest = get_command(app), arguments
    while hasattr(command, "commands"):
        command, rest = command.commands[rest[0]], rest[1:]
    command.make_context("fusetrack", list(rest))
