"""Every command and snippet of README, quickstart and tutorials does what the page says."""

import ast
import json
from contextlib import chdir, redirect_stdout
from io import StringIO

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

# In a process of its own: the client leaves sockets open. Over TCP the kernel would warn.
_RUN_NOTEBOOK = """
import nbformat
from jupyter_client import AsyncKernelManager
from nbclient import NotebookClient
notebook = nbformat.read('answers.ipynb', 4)
kernel = AsyncKernelManager(kernel_name='python3', transport='ipc')
NotebookClient(notebook, km=kernel, timeout=600).execute()
nbformat.write(notebook, 'answers.ipynb')
"""

pytestmark = pytest.mark.slow


class Reader:
    """A person who follows one page from its beginning to its end."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self._names: dict[str, object] = {}
        self._queries = duckdb.connect()
        self._printed = ""
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
            with chdir(self.shell.folder), redirect_stdout(StringIO()) as printed:
                exec(compile(block.text, block.place, "exec"), self._names)
            self._printed = printed.getvalue()
        elif block.language == "text" and self._printed:
            # What a page shows below a snippet is what the snippet prints.
            assert block.text == self._printed
            self._printed = ""
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
    notebook = json.loads((ROOT / "docs/tutorials/answers.ipynb").read_text())
    follow = 'fusetrack.follow("shop.parquet", "runs/again", config).path.name'
    added = {"cell_type": "code", "id": "again", "source": follow, "outputs": [], "metadata": {}}
    notebook["cells"].append({**added, "execution_count": None})
    (shell.folder / "answers.ipynb").write_text(json.dumps(notebook))
    shell.run(f'python -c "{_RUN_NOTEBOOK}"')
    notebook = json.loads((shell.folder / "answers.ipynb").read_text())
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    said = [o for cell in cells for o in cell["outputs"] if o.get("name") == "stderr"]
    assert said == []
    assert "12 people in 3 cameras" in _html(cells[0]["outputs"][0])
    assert "image/png" in cells[1]["outputs"][0]["data"]
    *_, live, progress = cells
    assert "".join(live["outputs"][0]["text"]).startswith("person 2 is in ")
    # While it runs, a table of the frames; the last one has them all.
    table, answer = progress["outputs"]
    assert "<caption>12 people</caption>" in _html(table)
    assert "".join(answer["data"]["text/plain"]) == "'again'"


def _html(output: dict[str, dict[str, list[str]]]) -> str:
    return "".join(output["data"]["text/html"])
