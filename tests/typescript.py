"""Runs files of the console outside a browser, in Node."""

import json
import shutil
import subprocess
from typing import Any

import pytest

from pipeline.api.console import BUILT

_CONSOLE = BUILT.parent


def run_typescript(name: str, script: str) -> Any:
    """The result of the JavaScript expression ``script`` after `src/NAME`, which imports nothing.

    The test is skipped where there is no Node.
    """
    esbuild = _CONSOLE / "node_modules/.bin/esbuild"
    if shutil.which("node") is None or not esbuild.exists():
        pytest.skip("no Node, or ./scripts/console has not installed what compiles the console")
    source = _CONSOLE / "src" / name
    compiled = subprocess.run([esbuild, source], check=True, capture_output=True, text=True).stdout
    found = subprocess.run(
        ["node", "--input-type=module"],
        input=f"{compiled}\nconsole.log(JSON.stringify({script}));",
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(found.stdout)
