"""Every command and snippet of README, quickstart and tutorials does what the page says."""

import ast
import json
from contextlib import chdir

import duckdb
import pytest
import yaml

from doc_blocks import ROOT, Block, blocks_of, check_options, commands_in
from doc_shell import Shell
from pipeline.config.load import check_config, load_config
from pipeline.reid.recipe_file import load_recipe

FOLLOWED = [
    "README.md",
    "docs/quickstart.md",
    "docs/tutorials/own-files.md",
    "docs/tutorials/calibrating.md",
    "docs/tutorials/answers.md",
    "docs/tutorials/training.md",
]
#: Languages that only show something.
SHOWN = {"text"}
OTHERS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "docs").rglob("*.md")
    if path.relative_to(ROOT).as_posix() not in FOLLOWED
)

pytestmark = pytest.mark.slow


class Reader:
    """A person who follows one page from its beginning to its end."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self._names: dict[str, object] = {}
        self._queries = duckdb.connect()
        self._answer: list[tuple[object, ...]] = []

    def follow(self, block: Block) -> None:
        """Do what a block says. Raises AssertionError when it does not work."""
        if block.title:
            (self.shell.folder / block.title).write_text(block.text)
        if block.mark == "not run":
            assert block.reason, f"{block.place} does not say why it is not run"
            for arguments in commands_in(block.text):
                check_options(arguments)
        elif block.language == "sh":
            self.shell.run(block.text)
        elif block.language == "python":
            with chdir(self.shell.folder):
                exec(compile(block.text, block.place, "exec"), self._names)
        elif block.language == "sql":
            with chdir(self.shell.folder):
                found = self._queries.sql(block.text)
                assert found is not None
                self._answer = found.fetchall()
                assert self._answer
        elif block.language == "yaml":
            self._check_yaml(block)
        elif block.text.startswith("┌") and self._answer:
            # What a page shows below a query is what the query gives.
            assert cells(block.text) == [[str(cell) for cell in row] for row in self._answer]
        else:
            assert block.language in SHOWN, f"{block.place} has no language"

    def _check_yaml(self, block: Block) -> None:
        if block.title == "site.yaml":
            load_config(self.shell.folder / block.title)
        elif block.title == "tiny.yaml":
            load_recipe(str(self.shell.folder / block.title))
        elif not block.title:
            check_config(yaml.safe_load(block.text), block.place)


def cells(table: str) -> list[list[str]]:
    """The rows of a table as DuckDB draws it, without its head."""
    rows = [line.strip("│").split("│") for line in table.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in row] for row in rows[1:]]


@pytest.mark.parametrize("name", FOLLOWED)
def test_a_page_can_be_followed(name: str, shell: Shell) -> None:
    reader = Reader(shell)
    for block in blocks_of(ROOT / name):
        reader.follow(block)
    told = [block for block in blocks_of(ROOT / name) if block.mark == "not run"]
    assert len(told) <= 1


@pytest.mark.parametrize("name", OTHERS)
def test_commands_of_other_pages_have_these_options(name: str) -> None:
    for block in blocks_of(ROOT / name):
        if block.language == "sh":
            for arguments in commands_in(block.text):
                check_options([word for word in arguments if word != "..."])
        if block.language == "yaml" and not block.title:
            check_config(yaml.safe_load(block.text), block.place)
        if block.language == "python":
            ast.parse(block.text)


def test_the_notebook_runs(shell: Shell) -> None:
    page = blocks_of(ROOT / "docs/tutorials/answers.md")
    shell.run(next(block.text for block in page if block.language == "sh"))
    cells = json.loads((ROOT / "docs/tutorials/answers.ipynb").read_text())["cells"]
    names: dict[str, object] = {}
    with chdir(shell.folder):
        for cell in cells:
            if cell["cell_type"] == "code":
                exec(compile("".join(cell["source"]), "answers.ipynb", "exec"), names)
