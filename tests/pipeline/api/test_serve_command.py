"""`fusetrack serve` as a process, beside a real node, associator and recorder."""

import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from websockets.sync.client import connect

import fork_server
from builders import make_run
from command_line import IMPOSSIBLE_PLACES, recorded_walk
from live_api import TOKEN
from pipeline.api.server import Server, server_config, site_address
from pipeline.cli import main as cli
from pipeline.config.load import check_config
from pipeline.run_directory.preparing import prepare
from pipeline.run_directory.progress import RecorderProgress, write_progress


@pytest.fixture
def site_file(tmp_path: Path, site: str) -> Path:
    """A site of two recorded cameras, and one whose address has a password."""
    recorded_walk(tmp_path / "walk.parquet", frames=120)
    (tmp_path / "site.yaml").write_text(
        f"site: {site}\n"
        "recording: {segment_s: 0.1}\n"
        "cameras:\n"
        f"  cam0: {{source: {tmp_path}/walk.parquet}}\n"
        f"  cam1: {{source: {tmp_path}/walk.parquet}}\n"
    )
    return tmp_path / "site.yaml"


def start(
    *arguments: object, stdout: int | None = None, **environment: str
) -> subprocess.Popen[str]:
    """`fusetrack ARGUMENTS` in the background."""
    return fork_server.start(
        *arguments,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


@contextmanager
def serving(*arguments: object, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`fusetrack serve` and its URL; stopped by SIGTERM."""
    given = ("serve", "--listen", "127.0.0.1:0", *arguments)
    with start(*given, **environment) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        assert "listening on http://" in said, said + process.stderr.read()
        try:
            yield process, said.split()[-1]
        finally:
            process.send_signal(signal.SIGTERM)


@contextmanager
def running(*arguments: object) -> Iterator[None]:
    """`fusetrack ARGUMENTS` during the block; must exit with 0 by itself after it."""
    with start(*arguments) as process:
        try:
            yield
            _, said = process.communicate(timeout=600)
            assert process.returncode == 0, said
        finally:
            process.kill()


def events_of_run(address: str, given: tuple[object, ...], out: Path) -> list[dict[str, Any]]:
    """The events of a whole run, received by a client while it runs."""
    events: list[dict[str, Any]] = []
    with (
        connect(f"{address.replace('http', 'ws')}/events?token={TOKEN}") as listener,
        running("node", *given),
        running("associate", *given),
        running("record", *given, "--out", out),
    ):
        while not events or events[-1]["type"] != "end":
            events.append(json.loads(listener.recv(timeout=600)))
    return events


def test_a_server_that_was_stopped_before_it_began_ends() -> None:
    """As by a signal right after its address was said."""
    stop = threading.Event()
    stop.set()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        Server(server_config(FastAPI()), stop).run([listener])


@pytest.mark.slow
def test_a_run_is_followed_from_its_first_event_to_its_past(
    site_file: Path, redis_url: str, tmp_path: Path
) -> None:
    given = ("--config", site_file, "--redis", redis_url)
    shown = {"Authorization": f"Bearer {TOKEN}"}
    out = tmp_path / "run"
    log = ("--log-level", "debug")
    with serving(*given, "--out", out, *log, FUSETRACK_API_TOKEN=TOKEN) as (process, address):
        events = events_of_run(address, given, out)
        identities = {e["global_id"] for e in events if e["type"] == "identity"}
        assert identities
        states = [(e["camera_id"], e["state"]) for e in events if e["type"] == "camera"]
        assert ("cam0", "running") in states
        with httpx.Client(base_url=address, headers=shown, timeout=600) as http:
            cameras = {c["id"]: c["state"] for c in http.get("/cameras").json()["cameras"]}
            assert cameras == {"cam0": "complete", "cam1": "complete"}
            there = {p["global_id"] for p in http.get("/identities").json()["identities"]}
            assert there
            assert there <= identities
            points = []
            for person in identities:
                points += http.get(f"/identities/{person}/path?limit=10000").json()["points"]
            assert len(points) == 2 * 120
            assert httpx.get(f"{address}/cameras?token={TOKEN}").status_code == 401
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=600)
    assert process.returncode == 128 + signal.SIGTERM
    assert TOKEN not in said
    assert "Traceback" not in said
    assert TOKEN not in "".join(path.read_text() for path in out.glob("*.yaml"))


def fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *given: object
) -> str:
    """The output of `fusetrack serve ARGUMENTS` that exits with 2."""
    monkeypatch.setattr("sys.argv", ["fusetrack", "serve", *map(str, given)])
    with pytest.raises(SystemExit) as ended:
        cli.run_command()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


def test_a_public_address_needs_a_token(
    site_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("FUSETRACK_API_TOKEN", raising=False)
    said = fails(monkeypatch, capsys, "--config", site_file, "--listen", "0.0.0.0:8710")
    assert "without a token: set api.token in the site file or FUSETRACK_API_TOKEN" in said


def test_without_redis_the_message_says_how_to_give_one(
    site_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("FUSETRACK_REDIS", raising=False)
    assert "give --redis URL" in fails(monkeypatch, capsys, "--config", site_file)


def test_a_token_is_not_written_to_the_run_directory(tmp_path: Path) -> None:
    prepare(tmp_path / "run", check_config({"api": {"token": TOKEN}}, "the test"))
    assert TOKEN not in (tmp_path / "run" / "config.yaml").read_text()


def frames(address: str) -> int:
    """Number of frames of all cameras known to the API."""
    cameras = httpx.get(f"{address}/cameras", timeout=600).json()["cameras"]
    return sum(camera["frames"] for camera in cameras)


@pytest.mark.slow
def test_a_run_on_one_machine_is_followed_by_its_directory(site_file: Path, tmp_path: Path) -> None:
    recorded_walk(tmp_path / "walk.parquet", frames=30_000)
    out = tmp_path / "run"
    given = ("--config", site_file, "--out", out)
    with start("run", *given, "--json", stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        try:
            while not (out / "cameras.json").is_file():
                assert run.stdout.readline()
            with serving(*given) as (_, address):
                first = frames(address)
                # More than the run directory had at the start.
                while frames(address) <= first:
                    assert run.stdout.readline()
        finally:
            run.kill()


def test_the_address_is_in_the_run_directory_during_the_run(tmp_path: Path) -> None:
    config = check_config({"site": "shop", "redis": "redis://there"}, "the test")
    assert site_address(config, None) == ("redis://there", "shop")
    assert site_address(config, tmp_path) == ("redis://there", "shop")
    write_progress(tmp_path, RecorderProgress("run", site="shop.1234"))
    assert site_address(config, tmp_path) == ("redis://there", "shop.1234")
    write_progress(tmp_path, RecorderProgress("run", finished=True, site="shop.1234"))
    assert site_address(config, tmp_path) == ("redis://there", "shop")


def test_a_past_run_needs_neither_redis_nor_site_file(tmp_path: Path) -> None:
    boxes = [("gate", frame, 1, (0.0, 0.0, 9.0, 9.0)) for frame in range(10)]
    out = make_run(tmp_path / "run", boxes, {("gate", 1): 5})
    with serving("--out", out) as (process, address):
        people = httpx.get(f"{address}/identities", timeout=600).json()
        assert [person["global_id"] for person in people["identities"]] == [5]
        maps = Path(f"/proc/{process.pid}/maps")
        # Of its 870 MB nothing is needed before a search.
        assert not maps.exists() or "libtorch" not in maps.read_text()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((), "nothing to serve: expected --config SITE.yaml of a site, or --out RUN of a past run"),
        (("--out", "nowhere"), "nowhere is not a run directory"),
    ],
)
def test_what_cannot_be_served_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: tuple[str, ...],
    said: str,
) -> None:
    assert said in fails(monkeypatch, capsys, *given)


@pytest.mark.parametrize(
    ("places", "said"),
    [
        *IMPOSSIBLE_PLACES,
        ("zones: {z: {points: [[0, 0], [9, 0], [9, 9]]}}", "no camera is calibrated"),
    ],
)
def test_places_that_cannot_be_are_not_served(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    places: str,
    said: str,
) -> None:
    boxes = [("gate", frame, 1, (0.0, 0.0, 9.0, 9.0)) for frame in range(10)]
    out = make_run(tmp_path / "run", boxes, {("gate", 1): 5})
    text = f"site: shop\ncameras: {{gate: {{source: rtsp://camera}}}}\n{places}\n"
    (tmp_path / "site.yaml").write_text(text)
    assert said in fails(monkeypatch, capsys, "--config", tmp_path / "site.yaml", "--out", out)
    (out / "config.yaml").write_text(text)
    assert said in fails(monkeypatch, capsys, "--out", out)
