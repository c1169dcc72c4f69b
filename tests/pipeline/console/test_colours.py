"""The console colours people as the pictures, videos and reports do."""

import json
import shutil
import subprocess

import pytest

from pipeline.api.console import BUILT
from pipeline.pictures.colours import css_colour

IDS = [*range(2000), 10**6, 2**31]


def test_the_colours_of_people_are_those_of_python() -> None:
    esbuild = BUILT.parent / "node_modules/.bin/esbuild"
    if shutil.which("node") is None or not esbuild.exists():
        pytest.skip("no Node, or ./scripts/console has not installed what compiles the console")
    source = BUILT.parent / "src/colours.ts"
    script = subprocess.run([esbuild, source], check=True, capture_output=True, text=True).stdout
    script += f"console.log(JSON.stringify([null, ...{IDS}].map(colourOf)))"
    found = subprocess.run(
        ["node", "--input-type=module"], input=script, check=True, capture_output=True, text=True
    )
    assert json.loads(found.stdout) == [css_colour(one) for one in (None, *IDS)]
