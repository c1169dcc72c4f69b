"""Parts as processes: SIGTERM while Redis hangs, and a serve whose reader fails."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import fork_server
from command_line import recorded_walk
from pipeline.bus.keys import OBSERVATIONS, stream_key
from pipeline.bus.streams import Bus
from redis_servers import Server, redis_server, until

ENDS_WITHIN_S = 600.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with redis_server(tmp_path / "server") as started:
        yield started


@pytest.fixture
def config(tmp_path: Path, server: Server) -> Path:
    source = recorded_walk(tmp_path / "walk.parquet", frames=30_000)
    values = {"site": "test", "redis": server.url, "cameras": {"cam0": {"source": str(source)}}}
    (tmp_path / "site.yaml").write_text(json.dumps(values))
    return tmp_path / "site.yaml"


def start(*arguments: object) -> subprocess.Popen[str]:
    return fork_server.start(*arguments, stderr=subprocess.PIPE, text=True)


def parts(server: Server) -> set[str]:
    with Bus(server.url, "test") as bus:
        return bus.running_parts()


def observed(server: Server) -> int:
    with Bus(server.url, "test") as bus:
        return int(bus.client.xlen(stream_key("test", OBSERVATIONS)))


@pytest.mark.slow
@pytest.mark.parametrize("part", ["node", "associate", "record", "serve"])
def test_sigterm_ends_a_part_while_redis_hangs(
    config: Path, server: Server, tmp_path: Path, part: str
) -> None:
    """It accepts connections and answers nothing, which blocks a command for half a minute."""
    more = {"record": ["--out", tmp_path / "run"], "serve": ["--listen", "127.0.0.1:0"]}
    with start(part, "--config", config, *more.get(part, [])) as process:
        assert process.stderr is not None
        try:
            if part == "serve":
                assert "listening on" in process.stderr.readline()
            elif part == "record":
                until(lambda: (tmp_path / "run" / "recorder.json").is_file())
            else:
                until(lambda: bool(parts(server)))
            if part == "node":
                until(lambda: observed(server) > 0)
            server.process.send_signal(signal.SIGSTOP)
            process.send_signal(signal.SIGTERM)
            # Redis never goes on: without a limit the part would wait for it.
            assert process.wait(ENDS_WITHIN_S) in (2, 128 + signal.SIGTERM)
        finally:
            server.process.send_signal(signal.SIGCONT)
            process.kill()


def test_serve_fails_when_its_reader_does(config: Path, tmp_path: Path) -> None:
    """A bug in the reader, in a log of JSON: one line, and a code that a supervisor sees."""
    (tmp_path / "sitecustomize.py").write_text(
        "import pipeline.api.site as site\n"
        "def broken(self):\n"
        "    raise ZeroDivisionError('a bug')\n"
        "site.Follower.step = broken\n"
    )
    given = ("serve", "--config", config, "--listen", "127.0.0.1:0", "--log-format", "json")
    paths = os.pathsep.join([str(tmp_path), os.getcwd()])
    ended = subprocess.run(
        [sys.executable, "-m", "pipeline", *map(str, given)],
        capture_output=True,
        text=True,
        timeout=ENDS_WITHIN_S,
        check=False,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert ended.returncode == 1
    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    assert lines[-1]["message"] == "a bug"
    assert "ZeroDivisionError: a bug" in lines[-1]["traceback"]
