"""The hook of MkDocs that fills in what pages take from the code.

A page asks for it with a comment on a line of its own: ``<!-- from the code: commands -->``, or
``<!-- notebook: answers.ipynb -->`` for a notebook beside the page.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).parents[1]))

from docs_site import command_line, configuration, models, notebooks, python, rest, rooms

_MADE: dict[str, Callable[[], str]] = {
    "commands": command_line.commands,
    "keys": configuration.keys,
    "addresses": rest.addresses,
    "names": python.names,
    "manifest": models.manifest,
    "rooms": rooms.rooms,
    "homes": rooms.homes,
}
_ASKED = re.compile(r"^<!-- (?P<kind>from the code|notebook): (?P<what>\S+) -->$", re.MULTILINE)


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Replace what a page asks for. Raises KeyError when nothing makes it."""
    folder = Path(config.docs_dir, page.file.src_uri).parent

    def made(asked: re.Match[str]) -> str:
        if asked["kind"] == "notebook":
            return notebooks.as_markdown(folder / asked["what"])
        return _MADE[asked["what"]]()

    return _ASKED.sub(made, markdown)
