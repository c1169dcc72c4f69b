"""The pages that are made from the code name everything that there is."""

import json
import re
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel
from typer.main import get_command

import fusetrack
from doc_blocks import ROOT
from docs_site import command_line, configuration, models, notebooks, python, rest, rooms
from pipeline.cli.main import app
from pipeline.config.schema import SiteConfig
from pipeline.exports import FORMATS
from pipeline.paths import config_folder
from pipeline.run_directory.schema import IDENTITIES, OBSERVATIONS, TRACKLETS
from pipeline.weights import load_manifest


def test_every_command_and_option_is_there() -> None:
    page = command_line.commands()
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        assert f"## fusetrack {name}" in page
        for parameter in getattr(command, "params", ()):
            assert parameter.opts[0] in page or parameter.metavar in page


def test_every_section_of_the_configuration_has_its_keys() -> None:
    page = configuration.keys()
    for name, field in SiteConfig.model_fields.items():
        assert f"| `{name}` |" in page
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            table = page.split(f"## {name}\n")[1].split("\n## ")[0]
            for key in field.annotation.model_fields:
                assert f"| `{key}` |" in table


def test_defaults_limits_and_comments_are_told() -> None:
    rows = configuration.keys().splitlines()
    (row,) = [line for line in rows if line.startswith("| `image_size` |")]
    assert "| whole number | `640` | at least 64, at most 4096, a multiple of 32 |" in row
    (row,) = [line for line in rows if line.startswith("| `interval_s` |")]
    assert "| `1.0` | more than 0 |" in row
    (row,) = [line for line in rows if line.startswith("| `late_s` |")]
    assert "a camera silent for this long is no longer waited for" in row


def test_a_comment_may_go_on_in_the_next_line() -> None:
    text = """
# The cameras. Each takes
#   source                    a video,
#                             or a URL
#   live                      how it is read:
#     clock: auto             whose time
top: 1                        # first
                              # and more
section:
  key: 2                      # of a section
bare: []
"""
    assert configuration.explained(text) == {
        "cameras.NAME.source": "a video, or a URL",
        "cameras.NAME.live": "how it is read:",
        "cameras.NAME.live.clock": "whose time",
        "top": "first and more",
        "section.key": "of a section",
    }


def test_a_key_that_nothing_explains_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration, "explained", lambda text: {})
    with pytest.raises(LookupError, match="explained neither"):
        configuration.keys()


def test_every_address_of_the_api_is_there() -> None:
    page = rest.addresses()
    for path, methods in rest.schema_of_api()["paths"].items():
        for method in methods:
            assert f"### {method.upper()} {path}\n" in page


def test_every_room_and_public_name_is_there() -> None:
    page = rooms.rooms()
    assert page.index("| `pipeline.cli` |") < page.index("| `pipeline.config` |")
    assert "| `redis` | `pipeline/bus/` |" in rooms.homes()
    for name in fusetrack.__all__:
        assert f"heading: fusetrack.{name}\n" in python.names()


def test_every_entry_of_the_manifest_is_there() -> None:
    assert all(f"| `{name}` |" in models.manifest() for name in load_manifest())


def test_a_notebook_is_text_code_and_what_it_gave(tmp_path: Path) -> None:
    picture = {"data": {"image/png": "QUJD\n", "text/plain": "<Figure>"}}
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "text"]},
        {"cell_type": "code", "source": ["1 + 1"], "outputs": [{"data": {"text/plain": "2"}}]},
        {"cell_type": "code", "source": ["draw()"], "outputs": [picture, {"text": ["said\n"]}]},
    ]
    path = tmp_path / "some.ipynb"
    path.write_text(json.dumps({"cells": cells}))
    page = notebooks.as_markdown(path)
    assert page.startswith("# Title\ntext\n\n```python\n1 + 1\n```\n\n```text\n2\n```\n\n")
    assert 'src="data:image/png;base64,QUJD"' in page
    assert page.endswith("```text\nsaid\n```")


@pytest.mark.parametrize("schema", [OBSERVATIONS, TRACKLETS, IDENTITIES])
def test_every_column_of_the_run_directory_is_told(schema: object) -> None:
    page = (ROOT / "docs/concepts/run-directory.md").read_text()
    for name in schema.names:  # type: ignore[attr-defined]
        assert f"`{name}`" in page


def test_every_export_format_is_told() -> None:
    page = (ROOT / "docs/reference/exports.md").read_text()
    assert all(f"| `{name}` |" in page for name in FORMATS)


def test_the_recipes_are_told() -> None:
    page = (ROOT / "docs/reference/models.md").read_text()
    for path in (config_folder() / "reid").glob("*.yaml"):
        assert f"`{path.stem}`" in page
        assert yaml.safe_load(path.read_text())


def test_links_of_the_readme_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / "README.md").read_text()):
        assert (ROOT / target).exists(), target
