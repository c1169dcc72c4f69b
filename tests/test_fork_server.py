"""A forked command is like one that was started."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

import fork_server
from command_line import killed_at_the_end, recorded_walk

ROOT = Path(__file__).parents[1]
forked_text = partial(fork_server.run, text=True)


def started(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """How the real program ends."""
    command = [sys.executable, "-m", "pipeline", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def test_it_ends_and_writes_like_a_started_one(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "FUSETRACK_CACHE": str(tmp_path / "cache"),
        "PYTHONPATH": str(ROOT),
    }
    for arguments in (["--version"], ["summary", "nothing here"], ["weights", "list"]):
        real, forked = (
            how(*arguments, cwd=tmp_path, env=environment) for how in (started, forked_text)
        )
        assert forked.returncode == real.returncode
        assert (forked.stdout, forked.stderr) == (real.stdout, real.stderr)
        assert real.stdout + real.stderr


@pytest.fixture
def long_run(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a run that would take minutes, and waits until it works."""
    recorded_walk(tmp_path / "walk.parquet", frames=30_000)

    def call(**options: Any) -> subprocess.Popen[str]:
        process = fork_server.start(
            "run",
            "walk.parquet",
            "--json",
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            text=True,
            **options,
        )
        started.append(process)
        assert process.stdout is not None
        assert "cameras" in process.stdout.readline()
        return process

    with killed_at_the_end() as started:
        yield call


def test_it_is_a_child_with_this_folder(
    long_run: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    process = long_run()
    assert os.readlink(f"/proc/{process.pid}/cwd") == str(tmp_path)
    assert psutil.Process(process.pid).ppid() == os.getpid()
    process.kill()
    assert process.wait() == -signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_session_of_its_own_gets_its_signals(
    long_run: Callable[..., subprocess.Popen[str]], number: signal.Signals
) -> None:
    process = long_run(start_new_session=True)
    assert os.getpgid(process.pid) == process.pid
    os.killpg(process.pid, number)
    assert process.stdout is not None
    process.stdout.read()
    process.wait()
    assert process.returncode == 128 + number
