"""Parts are killed, suspended and resumed, as real processes around a real Redis."""

import json
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import redis

import crash
import fork_server
from builders import tracklet_sent, watermark
from buses import send
from command_line import killed_at_the_end, recorded_walk
from pipeline.bus.keys import IDENTITIES, RECORDER, TRACKLETS, term_key
from pipeline.bus.messages import EndMessage, Message
from pipeline.bus.streams import Bus
from pipeline.config.load import check_config, load_config
from pipeline.exports import export_run
from pipeline.monitoring.progress import Tally
from pipeline.run_directory.reader import RunDirectory
from pipeline.runtime import workers
from pipeline.runtime.run import run_site
from pipeline.runtime.site_options import with_options

ENDS_WITHIN_S = 600.0
CAMERAS = {name: {"source": "none.mp4"} for name in ("gate", "yard")}


@pytest.mark.slow
def test_repeated_kills_give_the_rows_of_an_undisturbed_run(tmp_path: Path) -> None:
    found = crash.measure(
        tmp_path, dict.fromkeys(crash.PARTS, 1), seconds=50, seed=7, start=fork_server.start
    )
    assert found["kills"] == dict.fromkeys(("node", "associator", "recorder", "redis"), 1)
    assert found["equal"]
    assert set(found["equal"].values()) == {True}
    assert found["rows"] > 1500
    assert found["people"] > 2


def until(true: Callable[[], bool]) -> None:
    """Wait until a condition on the processes holds."""
    deadline = time.monotonic() + ENDS_WITHIN_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.03)


@pytest.fixture
def associator(tmp_path: Path, redis_url: str, site: str) -> Iterator[Callable[[], object]]:
    """Starts `fusetrack associate`."""
    config = tmp_path / "site.yaml"
    config.write_text(json.dumps({"site": site, "redis": redis_url, "cameras": CAMERAS}))

    def start() -> subprocess.Popen[str]:
        given = ("associate", "--config", config)
        process = fork_server.start(*given, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    with killed_at_the_end() as started:
        yield start


def seen(first: float, last: float) -> list[Message]:
    """Each second from ``first`` to ``last``, both cameras see a different person."""
    messages: list[Message] = []
    for at in range(int(first), int(last) + 1):
        for number, name in enumerate(CAMERAS):
            look = (1.0, 0.0) if number else (0.0, 1.0)
            person = at // 4 + 1
            closed = at % 4 == 3
            messages.append(
                tracklet_sent(name, person, person * 4 - 4, at + 0.5, look=look, closed=closed)
            )
            messages.append(watermark(name, at + 0.5, ended=at == 15))
    return messages


def identities(bus: Bus) -> list[Message | None]:
    return [delivery.message for delivery in bus.read(RECORDER, "1", [IDENTITIES], 0.001)]


@pytest.mark.slow
def test_a_standby_takes_over_and_the_resumed_associator_is_fenced(
    redis_url: str, site: str, associator: Callable[[], subprocess.Popen[str]]
) -> None:
    with Bus(redis_url, f"{site}.calm") as bus:
        bus.declare()
        send(bus, TRACKLETS, seen(1, 15))
        config = check_config({"cameras": CAMERAS}, "the test")
        workers.associate(config, redis_url, bus.site, threading.Event(), Tally([]))
        expected = identities(bus)
    assert isinstance(expected[-1], EndMessage)
    with Bus(redis_url, site) as bus, redis.Redis.from_url(redis_url) as client:

        def term() -> int:
            return int(client.get(term_key(site)) or 0)

        bus.declare()
        first = associator()
        until(lambda: term() == 1)
        second = associator()
        assert second.stderr is not None
        assert "another associator is active; this one stands by" in second.stderr.readline()
        send(bus, TRACKLETS, seen(1, 8))
        until(lambda: bus.lengths()[IDENTITIES] > 0)
        first.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        send(bus, TRACKLETS, seen(9, 14))
        until(lambda: term() == 2)
        assert time.monotonic() - began < 30
        first.send_signal(signal.SIGCONT)
        assert first.stderr is not None
        # It stands by where its connection timed out meanwhile, and is fenced where it did not.
        seen_other = re.compile("another associator (has taken over|is active)")
        assert any(seen_other.search(line) for line in first.stderr)
        # Only now, because it would take the lease again once that is free.
        send(bus, TRACKLETS, seen(15, 15))
        assert second.wait(ENDS_WITHIN_S) == 0
        assert first.wait(ENDS_WITHIN_S) == 0
        assert identities(bus) == expected


def test_a_standby_takes_over_from_one_whose_loop_hangs(redis_url: str, site: str) -> None:
    """Its process lives on, with all its threads."""
    hangs, goes_on, stop = threading.Event(), threading.Event(), threading.Event()

    class Hanging(Tally):
        def on_decision(self, camera_id: str, track_id: int, global_id: int) -> None:
            hangs.set()
            goes_on.wait()

    config = check_config({"cameras": CAMERAS}, "the test")

    def work(tally: Tally) -> threading.Thread:
        arguments = (config, redis_url, site, stop, tally)
        thread = threading.Thread(target=workers.associate, args=arguments)
        thread.start()
        return thread

    with Bus(redis_url, site) as bus, redis.Redis.from_url(redis_url) as client:
        bus.declare()
        send(bus, TRACKLETS, seen(1, 15))
        first = work(Hanging([]))
        try:
            hangs.wait()
            second = work(Tally([]))
            second.join(ENDS_WITHIN_S)
            assert not second.is_alive()
            assert client.get(term_key(site)) == b"2"
            assert isinstance(identities(bus)[-1], EndMessage)
        finally:
            stop.set()
            goes_on.set()
            first.join()


@pytest.mark.slow
def test_a_run_whose_redis_is_killed_continues_and_gives_the_same(tmp_path: Path) -> None:
    source = recorded_walk(tmp_path / "walk.parquet", frames=600)
    config = tmp_path / "site.yaml"
    config.write_text("recording: {segment_s: 0.2}\n")
    run_site(with_options(load_config(config), [str(source)], {}), tmp_path / "calm")
    options = ["run", source, "--config", config, "--json", "--out", tmp_path / "disturbed"]
    with fork_server.start(
        *options,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        for recorded in (120, 280, 440):
            until(lambda least=recorded: frames(tmp_path / "disturbed") > least)  # type: ignore[misc]
            until(lambda: len(servers(process.pid)) == 1)
            servers(process.pid)[0].kill()
        _, said = process.communicate(timeout=ENDS_WITHIN_S)
        assert process.returncode == 0, said
    assert said.count("the embedded Redis stopped") == 3
    one, other = (
        export_run(RunDirectory(tmp_path / name), "csv", tmp_path / f"{name}.csv").read_bytes()
        for name in ("calm", "disturbed")
    )
    assert one == other


def servers(parent: int) -> list[psutil.Process]:
    """The Redis servers that a process has started."""
    children = psutil.Process(parent).children(recursive=True)
    return [child for child in children if child.name() == "redis-server"]


def frames(out: Path) -> int:
    """Number of frames recorded so far."""
    if not (out / "config.yaml").is_file():
        return 0
    return sum(camera.frames for camera in RunDirectory(out).cameras())
