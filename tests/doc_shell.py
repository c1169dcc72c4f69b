"""A shell for the commands of the documentation, in which ``fusetrack`` runs in this process.

Starting a process for each command would load PyTorch and OpenVINO each time. The program
``fusetrack`` that bash finds sends its arguments here and says what comes back.
"""

import io
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import chdir, closing, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

from command_line import Outcome
from pipeline.cli import main as cli

_TIMEOUT_S = 800

_CLIENT = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as line:
    line.connect({address!r})
    line.sendall(json.dumps([sys.argv[1:], os.getcwd()]).encode() + b"\\n")
    code, out, err = json.loads(line.makefile().readline())
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(code)
"""

#: What a run was told, the configuration that it read among it -> how it ended, its directory.
Runs = dict[tuple[str, ...], tuple[Outcome, Path]]


class Shell:
    """Runs the lines of a page in ``folder``; ``answers`` stand in for commands of these arguments.

    A run that was made before is copied from ``runs``.
    """

    def __init__(self, folder: Path, runs: Runs, answers: Mapping[tuple[str, ...], str]) -> None:
        self.folder = folder
        self._runs = runs
        self._answers = answers
        programs = folder / ".programs"
        programs.mkdir()
        # The address of a socket may have about a hundred characters.
        self._address = f"\0fusetrack-docs-{os.getpid()}-{id(self)}"
        client = programs / "fusetrack"
        client.write_text(_CLIENT.format(python=sys.executable, address=self._address))
        client.chmod(0o755)
        path = os.pathsep.join(
            [str(programs), str(Path(sys.executable).parent), os.environ["PATH"]]
        )
        self._environment = {**os.environ, "PATH": path}

    def run(self, text: str) -> str:
        """What bash prints for ``text``. Raises AssertionError when a line of it fails."""
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(self._address)
            server.listen()
            server.settimeout(_TIMEOUT_S)
            bash = _Bash(text, self.folder, self._environment, self._address)
            bash.start()
            while self._serve(server):
                pass
            bash.join()
        assert bash.code == 0, f"exit code {bash.code}:\n{text}\n{bash.said}"
        return bash.said

    def _serve(self, server: socket.socket) -> bool:
        """Answer one command; False when bash has ended."""
        line, _ = server.accept()
        with closing(line), line.makefile("rw") as both:
            arguments, folder = json.loads(both.readline())
            if arguments is None:
                return False
            outcome = self._outcome(arguments, Path(folder))
            both.write(json.dumps([outcome.code, outcome.out, outcome.err]) + "\n")
        return True

    def _outcome(self, arguments: list[str], folder: Path) -> Outcome:
        if tuple(arguments) in self._answers:
            return Outcome(0, self._answers[tuple(arguments)] + "\n", "")
        if arguments[0] != "run" or "--out" not in arguments:
            return call(arguments, folder)
        out = folder / arguments[arguments.index("--out") + 1]
        key = tuple(arguments)
        if "--config" in arguments:
            key += ((folder / arguments[arguments.index("--config") + 1]).read_text(),)
        if key in self._runs:
            outcome, made = self._runs[key]
            shutil.copytree(made, out)
            return outcome
        outcome = call(arguments, folder)
        self._runs[key] = (outcome, out)
        return outcome


class _Bash(threading.Thread):
    """Bash at work; its end is told at ``address``."""

    def __init__(self, text: str, folder: Path, environment: dict[str, str], address: str) -> None:
        super().__init__()
        self._arguments = ["bash", "-euo", "pipefail", "-c", text]
        self._folder, self._environment, self._address = folder, environment, address
        self.code, self.said = -1, ""

    def run(self) -> None:
        try:
            ended = subprocess.run(
                self._arguments,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=_TIMEOUT_S,
                check=False,
            )
            self.code, self.said = ended.returncode, ended.stdout
        finally:
            with socket.socket(socket.AF_UNIX) as line:
                line.connect(self._address)
                line.sendall(b"[null, null]\n")


def call(arguments: list[str], folder: Path) -> Outcome:
    """How ``fusetrack ARGUMENTS`` ends in ``folder``."""
    out, err = io.StringIO(), io.StringIO()
    with (
        chdir(folder),
        redirect_stdout(out),
        redirect_stderr(err),
        patch.object(sys, "argv", ["fusetrack", *arguments]),
    ):
        try:
            cli.run_command()
            code: object = 0
        except SystemExit as ended:
            code = ended.code
    return Outcome(code if isinstance(code, int) else 0, out.getvalue(), err.getvalue())
