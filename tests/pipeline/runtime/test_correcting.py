"""A correction in the page of a running site, whose parts are killed right after it."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium import webdriver

import fork_server
from browsers import Browser
from builders import camera_sent, observations_sent, tracklet_sent, watermark
from buses import send
from command_line import killed_at_the_end
from live_api import LiveApi
from pipeline.bus.keys import OBSERVATIONS, TRACKLETS
from pipeline.bus.messages import Message
from pipeline.bus.streams import Bus
from pipeline.exports import export_run
from pipeline.run_directory.reader import RunDirectory

RED, BLUE = (1.0, 0.0), (0.0, 1.0)
ENDS_WITHIN_S = 600.0
CAMERAS = ("gate", "hall")


def tracklets(first: int, last: int) -> list[Message]:
    """Track 1 at the gate until 4 s, track 2 of another look in the hall from then on."""
    found: list[Message] = []
    for at in range(first, last + 1):
        if at <= 4:
            found.append(tracklet_sent("gate", 1, 0, at, look=RED, closed=at == 4))
        else:
            found.append(tracklet_sent("hall", 2, 4, at, look=BLUE, closed=at == 12))
        found += [watermark(name, at, ended=at == 12) for name in CAMERAS]
    return found


def until(true: Callable[[], bool]) -> None:
    """Wait until a condition on the processes holds."""
    deadline = time.monotonic() + ENDS_WITHIN_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.03)


@pytest.fixture
def start(tmp_path: Path, redis_url: str, site: str) -> Iterator[Callable[..., object]]:
    """Starts a part of the site."""
    config = tmp_path / "site.yaml"
    cameras = {name: {"source": "none.mp4"} for name in CAMERAS}
    values = {"site": site, "redis": redis_url, "cameras": cameras}
    config.write_text(
        json.dumps({**values, "recording": {"segment_s": 0.2}, "association": {"min_exemplars": 1}})
    )

    def call(*command: str) -> subprocess.Popen[bytes]:
        started.append(fork_server.start(*command, "--config", config))
        return started[-1]

    with killed_at_the_end() as started:
        yield call


def recorded(run: Path) -> int:
    """The number of tracks whose identity is recorded."""
    return len(RunDirectory(run).identities()) if (run / "config.yaml").is_file() else 0


def people(run: Path) -> dict[str, set[str]]:
    """The global ids in the export, by camera."""
    lines = [line.split(",") for line in export_run(RunDirectory(run), "csv").read_text().split()]
    head, rows = lines[0], lines[1:]
    camera, person = head.index("camera_id"), head.index("global_id")
    return {name: {row[person] for row in rows if row[camera] == name} for name in CAMERAS}


@pytest.mark.slow
def test_a_correction_survives_the_death_of_associator_and_recorder(
    tmp_path: Path,
    redis_url: str,
    site: str,
    start: Callable[..., subprocess.Popen[bytes]],
    chromium: webdriver.Chrome,
) -> None:
    out = tmp_path / "run"
    bus = Bus(redis_url, site)
    bus.declare()
    parts = ["associate"], ["record", "--out", str(out)]
    first = [start(*part) for part in parts]
    api = LiveApi(bus, out=out)
    try:
        send(bus, OBSERVATIONS, [camera_sent("gate", 40), observations_sent("gate", range(40), 1)])
        seen = [camera_sent("hall", 80), observations_sent("hall", range(40, 80), 2)]
        send(bus, OBSERVATIONS, seen)
        send(bus, TRACKLETS, tracklets(1, 8))
        until(lambda: recorded(out) == 2)
        api.follower.step()
        page = Browser(chromium, f"http://{api.place}")
        page.open("person/2")
        page.click(".actions button", "Merge")
        page.one("dialog input").send_keys("1")
        page.click("dialog button.primary")
        page.one(".history", "2 is the same person as 1")
        chromium.get("about:blank")
        for process in first:
            process.kill()
            process.wait()
        named = {"kind": "name", "global_id": 1, "name": "Anna"}
        second = [start(*part) for part in parts]
        # As long as there is no associator nothing is corrected, and it is said.
        until(lambda: api.http.post("/corrections", json=named).status_code == 201)
        send(bus, TRACKLETS, tracklets(9, 12))
        assert [process.wait(ENDS_WITHIN_S) for process in second] == [0, 0]
        # The solution at the end would have parted them again.
        assert people(out) == {"gate": {"1"}, "hall": {"1"}}
        assert api.http.get("/names").json() == {"names": {"1": "Anna"}}
        # The site has ended: now it is corrected in the run directory.
        answer = api.http.post("/corrections", json={"kind": "undo", "number": 1, "seen": 2})
        assert answer.status_code == 201, answer.text
        assert answer.json()["number"] == 3
        assert people(out) == {"gate": {"1"}, "hall": {"2"}}
    finally:
        api.close()
