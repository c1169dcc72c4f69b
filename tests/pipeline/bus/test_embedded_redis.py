import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil
import pytest
import redis

from pipeline.bus import embedded_redis
from pipeline.bus.connection import Retry
from pipeline.bus.embedded_redis import EmbeddedServer, find_server
from pipeline.bus.streams import Bus
from pipeline.errors import UserError

pytestmark = pytest.mark.skipif(
    find_server() is None and not os.environ.get("CI"), reason="no redis-server found"
)


def process_of(url: str) -> psutil.Process:
    with redis.Redis.from_url(url) as client:
        return psutil.Process(client.info("server")["process_id"])


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_no_port_private_socket_and_no_scripting(tmp_path: Path) -> None:
    folder = tmp_path / "redis"
    with EmbeddedServer(folder) as embedded, redis.Redis.from_url(embedded.url) as client:
        assert client.config_get("port") == {"port": "0"}
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        assert client.config_get("appendfsync") == {"appendfsync": "no"}
        assert stat.S_IMODE((folder / "redis.sock").stat().st_mode) == 0o700
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        for command in (("EVAL", "return 1", "0"), ("SCRIPT", "LOAD", "return 1")):
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.execute_command(*command)


def test_no_process_and_no_file_is_left_behind(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path / "redis") as embedded:
        process = process_of(embedded.url)
        assert process.is_running()
    assert not psutil.pid_exists(process.pid)
    assert list(tmp_path.iterdir()) == []


def test_a_hanging_server_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_redis, "_END_S", 0.1)
    with EmbeddedServer(tmp_path / "redis") as embedded:
        process = process_of(embedded.url)
        process.send_signal(signal.SIGSTOP)
    process.wait(timeout=600)
    assert list(tmp_path.iterdir()) == []


def test_the_server_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, signal, pathlib\n"
        "from pipeline.bus.embedded_redis import EmbeddedServer\n"
        "with EmbeddedServer(pathlib.Path(sys.argv[1])) as server:\n"
        "    print(server.url, flush=True)\n"
        "    signal.pause()\n"
    )
    root = Path(embedded_redis.__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "redis")],
        cwd=root,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        url = parent.stdout.readline().strip()
        process = process_of(url)
        parent.kill()
    process.wait(timeout=600)
    with pytest.raises(UserError, match="cannot use Redis"):
        Bus(url, "site")


def test_the_socket_of_a_long_path_is_elsewhere(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 60) / ("y" * 60)
    embedded = EmbeddedServer(folder)
    with embedded, Bus(embedded.url, "site") as bus:
        bus.declare()
        socket = Path(embedded.url.removeprefix("unix://"))
        assert socket.is_socket()
        assert folder not in socket.parents
        assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    assert not socket.parent.exists()


@pytest.mark.parametrize(
    "name", ["run #1", "100% [a]", 'say "hi"', "what?", "ü@b:c", "back\\slash"]
)
def test_any_folder_name_works(tmp_path: Path, name: str) -> None:
    with EmbeddedServer(tmp_path / name / "redis") as embedded, Bus(embedded.url, "site") as bus:
        bus.declare()
        assert (tmp_path / name / "redis" / "redis.sock").is_socket()


def test_server_is_searched_on_path_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    bundled = find_server()
    valkey = script(tmp_path / "valkey-server", "exit 0")
    assert find_server() == valkey
    own = script(tmp_path / "redis-server", "exit 0")
    assert find_server() == own
    assert bundled not in (valkey, own)


def test_without_a_server_the_message_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(embedded_redis, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"^no Redis server found: give --redis URL, or put redis-"):
        EmbeddedServer(tmp_path / "redis").__enter__()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("says", "reason"),
    [("echo one; echo 'disk is odd.' >&2; exit 1", "disk is odd"), ("exit 1", "its log is empty")],
)
def test_a_server_that_does_not_start_is_reported_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, reason: str
) -> None:
    binary = script(tmp_path / "broken", says)
    monkeypatch.setattr(embedded_redis, "find_server", lambda: binary)
    with pytest.raises(UserError) as raised:
        EmbeddedServer(tmp_path / "redis").__enter__()
    assert str(raised.value) == (
        f"the embedded Redis did not start: {reason}. Give --redis URL to use another one"
    )
    assert not (tmp_path / "redis").exists()


def test_a_server_that_never_answers_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binary = script(tmp_path / "silent", f"echo $$ > {tmp_path}/pid; exec sleep 60")
    monkeypatch.setattr(embedded_redis, "find_server", lambda: binary)
    monkeypatch.setattr(embedded_redis, "_START_S", 0.3)
    with pytest.raises(UserError, match="its log is empty"):
        EmbeddedServer(tmp_path / "redis").__enter__()
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def test_a_folder_that_cannot_be_created_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write to .*/file/redis: Not a directory"):
        EmbeddedServer(tmp_path / "file" / "redis").__enter__()


def kill(url: str) -> None:
    """Kill the server with SIGKILL and wait for its end."""
    process = process_of(url)
    process.kill()
    process.wait(timeout=600)


def test_a_killed_server_restarts_and_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    """A client writes continuously while the server is killed repeatedly."""
    retry = Retry(threading.Event(), time.monotonic)
    answered: list[int] = []
    done = threading.Event()
    with EmbeddedServer(tmp_path / "redis", restarts=5) as embedded:

        def write() -> None:
            with redis.Redis.from_url(embedded.url) as client:
                while not done.is_set():
                    with suppress(redis.RedisError):
                        client.xadd("numbers", {"n": len(answered)})
                        answered.append(len(answered))

        writer = threading.Thread(target=write)
        writer.start()
        for _ in range(5):
            before = len(answered)
            while len(answered) < before + 50:
                time.sleep(0.001)
            kill(embedded.url)
            with retry.call(partial(Bus, embedded.url, "site")):
                pass
        done.set()
        writer.join()
        with redis.Redis.from_url(embedded.url) as client:
            kept = [int(fields[b"n"]) for _, fields in client.xrange("numbers")]
        assert set(answered) <= set(kept)
        assert embedded.fault == ""


def test_a_server_that_dies_too_often_is_not_restarted(tmp_path: Path) -> None:
    gone = threading.Event()
    with EmbeddedServer(tmp_path / "redis", restarts=1, on_failure=gone.set) as embedded:
        kill(embedded.url)
        with Retry(gone, time.monotonic).call(partial(Bus, embedded.url, "site")):
            assert not gone.is_set()
        kill(embedded.url)
        assert gone.wait(10)
        assert embedded.fault.startswith("the embedded Redis stopped: ")
        assert "up to the last closed segment can be read" in embedded.fault
    assert list(tmp_path.iterdir()) == []


def test_a_server_whose_disk_is_full_is_not_restarted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    gone = threading.Event()
    with EmbeddedServer(tmp_path / "redis", restarts=5, on_failure=gone.set) as embedded:
        monkeypatch.setattr(Path, "write_bytes", full)
        kill(embedded.url)
        assert gone.wait(10)
        assert "No space left on device" in embedded.fault


def test_a_long_folder_and_a_long_tmpdir_are_no_hindrance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("t" * 110)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with EmbeddedServer(long / "redis") as server:
        assert len(server.url) < 100
        assert redis.Redis.from_url(server.url).ping()
