"""`--help` of every command is fast: it imports no heavy library."""

import json
import subprocess
import sys
from importlib.metadata import version

import pytest

from command_line import Command

SCRIPT = """
import io, json, sys, time
from contextlib import redirect_stdout
from pipeline.cli.main import main
said = {}
for command in json.loads(sys.argv[1]):
    sys.argv = ["fusetrack", *command, "--help"]
    with redirect_stdout(io.StringIO()) as out:
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    said[" ".join(command)] = [code, out.getvalue()]
heavy = [name for name in HEAVY if name in sys.modules]
print(json.dumps({"said": said, "heavy": heavy, "seconds": time.process_time()}))
"""
HEAVY = (
    *("torch", "torchvision", "ultralytics", "boxmot", "openvino", "trackeval", "matplotlib"),
    *("geopandas", "cv2", "av", "redis", "scipy", "polars"),
)
COMMANDS = [
    [],
    *([name] for name in ("run", "export", "evaluate", "report", "summary", "doctor", "weights")),
    *([name] for name in ("node", "associate", "record", "serve", "forget", "calibrate")),
    ["compact"],
    ["stats"],
    ["correct"],
    ["search"],
    ["reid"],
    *(["reid", name] for name in ("summary", "train", "evaluate", "embed", "explain", "export")),
    *(["weights", name] for name in ("list", "pull", "verify", "path")),
]


@pytest.fixture(scope="module")
def helped() -> dict[str, object]:
    """The help of all commands, from one fresh process."""
    script = f"HEAVY = {HEAVY!r}\n{SCRIPT}"
    ended = subprocess.run(
        [sys.executable, "-c", script, json.dumps(COMMANDS)],
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    assert ended.stderr == ""
    loaded = json.loads(ended.stdout)
    assert isinstance(loaded, dict)
    return loaded


def test_no_heavy_library_is_imported(helped: dict[str, object]) -> None:
    assert helped["heavy"] == []


def test_all_help_takes_less_than_two_seconds_of_process_time(helped: dict[str, float]) -> None:
    # Most of it is the start of Python, so each command alone takes less.
    assert helped["seconds"] < 2


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command) or "fusetrack")
def test_every_command_has_help(
    helped: dict[str, dict[str, tuple[int, str]]], command: list[str]
) -> None:
    code, text = helped["said"][" ".join(command)]
    assert code == 0
    assert "Usage: " in text
    assert " ".join(command) in text


def test_no_command_is_missing_in_this_file() -> None:
    from typer.main import get_command

    from pipeline.cli.main import app

    top = get_command(app)
    names = {(name,) for name in top.commands}  # type: ignore[attr-defined]
    for group in ("weights", "reid"):
        names |= {(group, name) for name in top.commands[group].commands}  # type: ignore[attr-defined]
    assert {tuple(command) for command in COMMANDS if command} == names


def test_the_version_is_printed(fusetrack: Command) -> None:
    assert fusetrack("--version").out == f"fusetrack {version('fusetrack')}\n"


@pytest.mark.parametrize(("code", "tidied"), [(143, False), (130, False), (2, True), (0, True)])
def test_after_a_signal_the_program_ends_without_tidying_up(code: int, tidied: bool) -> None:
    """The libraries of the networks may take many seconds for it."""
    script = (
        "import atexit, sys, pipeline.cli.main as cli\n"
        "atexit.register(print, 'tidied')\n"
        f"cli.run_command = lambda: (print('done'), sys.exit({code}))\n"
        "cli.main()\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout.split()) == (code, ["done", *["tidied"] * tidied])
