"""More RTSP cameras than the processor can follow: delay, frames followed, and ids.

Real RTSP cameras and the real `fusetrack run` with its detector and ReID network. Delays are from
the capture of a picture to the entry in Redis. The load of the computer is printed beside them,
because other programs slow it down too.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import redis
from rich.console import Console
from rich.table import Table

from pipeline.bus import entries
from pipeline.bus.keys import GROUPS, stream_key
from pipeline.bus.messages import (
    CameraMessage,
    IdentityMessage,
    Message,
    ObservationsMessage,
    unpack,
)
from pipeline.run_directory.reader import RunDirectory
from soaking import site
from soaking.site import Cameras

_START_S, _END_S = 240.0, 90.0
_POLL_S = 0.2


@dataclass
class Figures:
    """What was read from the streams; times are seconds UTC."""

    sent: list[float] = field(default_factory=list)
    decided: list[float] = field(default_factory=list)
    ids: set[int] = field(default_factory=set)
    live: set[str] = field(default_factory=set)
    overloaded: set[str] = field(default_factory=set)

    def add(self, message: Message, written: float, since: float) -> None:
        """Add a message written at this time; delays count only ``since`` the warm-up."""
        match message:
            case ObservationsMessage():
                if written >= since:
                    self.sent += (written - np.unique(unpack(message.timestamp))).tolist()
            case IdentityMessage():
                self.ids.add(message.global_id)
                if written >= since:
                    self.decided.append(written - message.at)
            case CameraMessage(camera=camera):
                if camera.frames:
                    self.live.add(camera.camera_id)
                if camera.overloaded:
                    self.overloaded.add(camera.camera_id)


class Reader(threading.Thread):
    """Reads the streams of the run in ``folder`` until ``done``."""

    def __init__(self, folder: Path) -> None:
        super().__init__(name="reader", daemon=True)
        self.figures, self.done, self.since = Figures(), threading.Event(), float("inf")
        self._folder = folder

    def run(self) -> None:
        client = redis.Redis(unix_socket_path=str(self._folder / "redis" / "redis.sock"))
        last: dict[bytes | str, str] = {}
        while not self.done.is_set():
            try:
                if not last:
                    found = list(client.scan_iter(match="fusetrack:{*}:tracklets"))
                    name = found[0].decode().split("{")[1].split("}")[0] if found else ""
                    last = {stream_key(name, stream): "0" for stream in GROUPS} if name else {}
                answer = client.xread(last, count=1000, block=200) if last else []  # type: ignore[arg-type]
            except (redis.RedisError, OSError):
                answer = []
            for key, batch in answer or []:  # type: ignore[union-attr]
                for entry_id, fields in batch:
                    last[key.decode()] = entry_id
                    self._add(entries.delivery("", entry_id, fields))
            if not answer:
                self.done.wait(_POLL_S)

    def _add(self, delivery: entries.Delivery) -> None:
        written = int(delivery.entry_id.split("-")[0]) / 1000
        if delivery.message is not None:
            self.figures.add(delivery.message, written, self.since)


def serve(folder: Path, count: int, fps: float, stack: ExitStack) -> dict[str, str]:
    """Start ``count`` cameras with ``fps`` frames a second; returns their addresses."""
    clips = {name: site.write_clip(folder / name, name) for name in site.CLIPS}
    names = [f"{clip}{number // len(clips)}" for number, clip in zip(range(count), 99 * [*clips])]  # noqa: B905
    mounts = {
        f"/{name}": {"launch": site.H264, "clip": str(clips[name.rstrip("0123456789")]), "fps": fps}
        for name in names
    }
    cameras = stack.enter_context(Cameras(mounts))
    return {name: cameras.url(name) for name in names}


def measure(folder: Path, cameras: int, fps: float, seconds: float) -> dict[str, object]:
    """Run for ``seconds`` after all cameras are live, and return the figures."""
    with ExitStack() as stack:
        urls = serve(folder, cameras, fps, stack)
        config, out, log = folder / "site.yaml", folder / "run", folder / "log"
        config.write_text(json.dumps(settings(urls)))
        command = [sys.executable, "-m", "pipeline", "run", "--quiet", "--config", str(config)]
        with log.open("wb") as stderr:
            process = subprocess.Popen([*command, "--out", str(out)], stderr=stderr)
        stack.callback(process.kill)
        reader = Reader(out)
        reader.start()
        until = time.monotonic() + _START_S
        while reader.figures.live != set(urls) and time.monotonic() < until:
            if process.poll() is not None:
                sys.exit(f"bench overload: the run did not start:\n{log.read_text()}")
            time.sleep(_POLL_S)
        reader.since = time.time() + seconds / 4
        time.sleep(seconds)
        load = os.getloadavg()[0]
        reader.done.set()
        reader.join()
        asked = time.monotonic()
        process.terminate()
        status = process.wait(_END_S)
        ended = time.monotonic() - asked
    found, run = reader.figures, RunDirectory(out)
    records = run.cameras()
    return {
        "cameras": cameras,
        "frames a second of each": fps,
        "live": len(found.live),
        "overloaded": len(found.overloaded),
        "followed, frames a second": round(float(np.mean([c.followed_fps for c in records])), 2),
        "delay to result, mean, s": round(float(np.mean([c.delay_s for c in records])), 2),
        "capture to sent, s: 50 %, 95 %": _spread(found.sent),
        "capture to identity, s: 50 %, 95 %": _spread(found.decided),
        "ids": len(found.ids),
        "tracks": run.tracklets().height,
        "ended after, s": round(ended, 1),
        "status": status,
        "load average": round(load, 1),
        "log": log.read_text().splitlines(),
    }


def settings(urls: dict[str, str]) -> dict[str, object]:
    """The site file."""
    return {
        "site": "overload",
        "cameras": {name: {"source": url} for name, url in urls.items()},
        "detector": {"image_size": 320},
    }


def _spread(values: list[float]) -> list[float]:
    return [round(float(np.percentile(values, share)), 2) for share in (50, 95)] if values else []


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--cameras", type=int, default=8)
    parser.add_argument("--fps", type=float, default=10.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="overload-") as folder:
        found = measure(Path(folder), arguments.cameras, arguments.fps, arguments.seconds)
    if arguments.json:
        print(json.dumps(found))
        return
    shown = Table("name", "figure")
    for name, figure in found.items():
        shown.add_row(name, str(figure))
    Console(width=None if sys.stdout.isatty() else 120).print(shown)


if __name__ == "__main__":
    main()
