"""What the wall of the console costs the live API, and how soon a browser has painted it.

It starts a Redis and `fusetrack serve` as a process of its own, plays pictures and recorded boxes
of the cameras into Redis, and reads the processor time of the API without and with a wall open.
Then Chromium, if there is one, opens the page from this computer again and again, without a cache:
its first paint is `first-contentful-paint`.
"""

import argparse
import gzip
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import cv2
import msgspec
import numpy as np
import yaml
from selenium import webdriver
from websockets.sync.client import connect

from pipeline.api.console import BUILT
from pipeline.bus import pictures
from pipeline.bus.embedded_redis import EmbeddedServer
from pipeline.bus.keys import IDENTITIES, OBSERVATIONS
from pipeline.bus.messages import CameraMessage, IdentityMessage, ObservationsMessage, pack
from pipeline.bus.outbox import Outbox
from pipeline.bus.pictures import Picture
from pipeline.bus.streams import Bus
from pipeline.run_directory.schema import CameraRecord
from printing import show

_SITE = "console-bench"
_PEOPLE = 6
_SIZE = (960, 540)


class Player:
    """Plays ``cameras`` with ``fps`` pictures a second, and the boxes of each second after it."""

    def __init__(self, url: str, cameras: list[str], fps: int) -> None:
        self._bus = Bus(url, _SITE)
        self._bus.declare()
        self._cameras = cameras
        self._fps = fps
        self._outboxes = {name: Outbox(self._bus, name, live=True) for name in cameras}
        self._jpegs = [_noisy_jpeg(seed) for seed in range(8)]
        self.picture_bytes = float(np.mean([len(jpeg) for jpeg in self._jpegs]))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Player":
        self._identify()
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        frame, start = 0, time.time()
        while not self._stop.wait(max(start + frame / self._fps - time.time(), 0.0)):
            jpeg = self._jpegs[frame % len(self._jpegs)]
            for name in self._cameras:
                picture = Picture(start + frame / self._fps, jpeg)
                pictures.publish(self._bus, name, "small", picture)
            frame += 1
            if frame % self._fps == 0:
                for name in self._cameras:
                    self._send_boxes(name, start, range(frame - self._fps, frame))

    def _send_boxes(self, name: str, start: float, frames: range) -> None:
        index = np.repeat(np.array(frames, np.int64), _PEOPLE)
        track_ids = np.tile(np.arange(1, _PEOPLE + 1), len(frames))
        left = (index * 7 + track_ids * 90) % 800
        boxes = np.stack([left, left * 0 + 120, left + 80, left * 0 + 340], axis=1)
        message = ObservationsMessage(
            camera_id=name,
            frame_index=pack(index),
            timestamp=pack(start + index / self._fps),
            track_id=pack(track_ids),
            boxes=pack(boxes.astype(np.float32)),
            scores=pack(np.full(len(index), 0.8, np.float32)),
        )
        record = CameraRecord(
            camera_id=name,
            source="rtsp://camera",
            width=_SIZE[0],
            height=_SIZE[1],
            fps=float(self._fps),
            frames=frames[-1] + 1,
            start=start,
            end=start + frames[-1] / self._fps,
            timestamp_origin="arrival",
            state="running",
        )
        self._outboxes[name].send([(OBSERVATIONS, message), (OBSERVATIONS, CameraMessage(record))])

    def _identify(self) -> None:
        outbox = Outbox(self._bus, "associator", live=True)
        for name in self._cameras:
            messages = [
                IdentityMessage(name, track, track, 0.9, "assigned", "new person", time.time())
                for track in range(1, _PEOPLE + 1)
            ]
            outbox.send([(IDENTITIES, message) for message in messages])


def _noisy_jpeg(seed: int) -> bytes:
    """A picture that compresses like one of a camera."""
    noise = np.random.default_rng(seed).integers(0, 255, (68, 120, 3), dtype=np.uint8)
    image = cv2.resize(noise, _SIZE, interpolation=cv2.INTER_CUBIC)
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cameras", type=int, default=16)
    parser.add_argument("--fps", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--paints", type=int, default=10, help="how often the page is opened")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    cameras = [f"cam{number:02d}" for number in range(options.cameras)]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        redis = stack.enter_context(EmbeddedServer(folder / "redis"))
        api, place = _serve(folder, redis.url, cameras)
        stack.callback(api.wait)
        stack.callback(api.terminate)
        player = stack.enter_context(Player(redis.url, cameras, options.fps))
        time.sleep(5)
        alone = _cores(api.pid, lambda: time.sleep(options.seconds))
        counts: dict[str, int] = {}
        with_wall = _cores(api.pid, lambda: _watch(place, options, counts))
        paints = _first_paints(f"http://{place}/", options.paints)
    rates = {name: round(count / options.seconds, 1) for name, count in counts.items()}
    found = {
        "no wall": {"% of a core": round(100 * alone, 1), "pictures/s": "", "boxes/s": ""},
        "a wall": {"% of a core": round(100 * with_wall, 1), **rates},
    }
    title = f"{len(cameras)} cameras, pictures of {player.picture_bytes / 1000:.0f} kB"
    columns = list(found["no wall"])
    if paints:
        found["first paint"] = {
            "median s": round(statistics.median(paints), 2),
            "least s": round(min(paints), 2),
            "most s": round(max(paints), 2),
            "kB of JavaScript": round(_javascript_kb()),
        }
        columns += list(found["first paint"])
    table = {row: {c: values.get(c, "") for c in columns} for row, values in found.items()}
    show(table, title, columns, as_json=options.json)


def _serve(folder: Path, redis: str, cameras: list[str]) -> tuple[subprocess.Popen[bytes], str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        place = f"127.0.0.1:{free.getsockname()[1]}"
    site = {"site": _SITE, "cameras": {name: {"source": "rtsp://camera"} for name in cameras}}
    path = folder / "site.yaml"
    path.write_text(yaml.safe_dump(site))
    command = [sys.executable, "-m", "pipeline", "serve", "--config", str(path)]
    api = subprocess.Popen([*command, "--redis", redis, "--listen", place])
    for _ in range(3000):
        try:
            socket.create_connection(place.split(":"), timeout=1).close()  # type: ignore[arg-type]
            return api, place
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the API does not answer")


def _watch(place: str, options: argparse.Namespace, counts: dict[str, int]) -> None:
    """Read everything that a wall is sent for some seconds."""
    counts.update({"pictures/s": 0, "boxes/s": 0})
    end = time.monotonic() + options.seconds
    with connect(f"ws://{place}/wall?fps={options.fps}", max_size=None) as wall:
        while time.monotonic() < end:
            try:
                message = wall.recv(timeout=1)
            except TimeoutError:
                continue
            if isinstance(message, bytes):
                counts["pictures/s"] += 1
            else:
                counts["boxes/s"] += len(msgspec.json.decode(message)["people"]) > 0


def _first_paints(address: str, count: int) -> list[float]:
    """Seconds from asking for the page to its first paint, each time; none without a Chromium."""
    binary = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        print("no chromium and chromedriver on PATH: no first paint", file=sys.stderr)
        return []
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,800"):
        options.add_argument(flag)
    chrome = webdriver.Chrome(options, webdriver.ChromeService(driver))
    try:
        chrome.execute_cdp_cmd("Network.enable", {})
        chrome.execute_cdp_cmd("Network.setCacheDisabled", {"cacheDisabled": True})
        return [_first_paint(chrome, address) for _ in range(count)]
    finally:
        chrome.quit()


_PAINTED = "return performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


def _first_paint(chrome: webdriver.Chrome, address: str) -> float:
    chrome.get("about:blank")
    chrome.get(address)
    while (painted := chrome.execute_script(_PAINTED)) is None:
        time.sleep(0.05)
    return float(painted) / 1000


def _javascript_kb() -> float:
    """The size of the page's JavaScript, compressed."""
    return sum(len(gzip.compress(path.read_bytes())) for path in BUILT.rglob("*.js")) / 1000


def _cores(pid: int, during: Callable[[], None]) -> float:
    """The cores that a process uses on average during a call."""
    before, start = _processor_s(pid), time.monotonic()
    during()
    return (_processor_s(pid) - before) / (time.monotonic() - start)


def _processor_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
