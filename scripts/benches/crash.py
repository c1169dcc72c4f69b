"""Kill the parts of a run repeatedly, and compare the recorded data with an undisturbed run.

Node, two associators and recorder are command line processes that share a Redis. Each of them, and
Redis, is killed with SIGKILL at random points of its progress and restarted at once. The input is
generated: people who cross each other and walk from camera to camera, with embeddings.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import redis

from pipeline.associator.checkpoint import progress_of
from pipeline.bus.embedded_redis import EmbeddedServer
from pipeline.bus.outbox import Outbox
from pipeline.bus.streams import Bus
from pipeline.errors import UserError
from pipeline.exports import export_run
from pipeline.run_directory.progress import read_progress
from pipeline.run_directory.reader import RunDirectory

FPS = 10
CAMERAS = ("door", "hall", "yard")
PARTS = ("node", "associator", "recorder", "redis")
# 50 pixels per metre of ground, because learned ground positions are part of the state too.
CALIBRATED = {"calibration": {"homography": [[50, 0, 0], [0, 50, 0], [0, 0, 1]]}}
_POLL_S = 0.03

#: Starts `fusetrack ARGUMENTS`, with options of `subprocess.Popen`.
Starter = Callable[..., subprocess.Popen[bytes]]


def start_command(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    """Start `fusetrack ARGUMENTS`."""
    return subprocess.Popen([sys.executable, "-m", "pipeline", *arguments], **options)


def recording(path: Path, seconds: int, people: int, seed: int) -> Path:
    """Write detections of ``people`` who walk through all cameras, each in a random order."""
    noise = np.random.default_rng(seed)
    appearances = noise.normal(size=(people, 32))
    rows = []
    for person, appearance in enumerate(appearances):
        start, height = noise.uniform(0, seconds - 40), noise.uniform(120, 180)
        for camera in noise.permutation(CAMERAS):
            end = start + noise.uniform(6, 10)
            step, x = noise.choice([-1, 1]) * 55, noise.uniform(100, 500)
            for frame in range(int(start * FPS), int(end * FPS)):
                left = abs((x + step * (frame / FPS - start)) % 1200 - 600)
                seen = appearance + noise.normal(scale=0.3, size=32)
                top = 150 + 20 * (person % 3)
                box = (left, top, left + height * 0.4, top + height)
                rows.append((camera, frame, frame / FPS, *box, 0.9, (seen / np.linalg.norm(seen))))
            start = end + noise.uniform(2, 5)
    columns = ["camera_id", "frame_index", "timestamp", "x1", "y1", "x2", "y2", "score"]
    table = pl.DataFrame([row[:8] for row in rows], columns, orient="row")
    embeddings = pl.Series("embedding", [row[8].astype(np.float32) for row in rows])
    table.with_columns(embeddings).sort("camera_id", "frame_index").write_parquet(path)
    return path


@dataclass
class SiteProcesses:
    """The processes of one run."""

    folder: Path
    url: str
    site: str
    starter: Starter
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    kills: Counter[str] = field(default_factory=Counter)

    @property
    def out(self) -> Path:
        """The run directory."""
        return self.folder / f"run-{self.site}"

    def start(self, name: str) -> None:
        """Start one process."""
        command = {"node": "node", "recorder": "record"}.get(name, "associate")
        more = ["--out", str(self.out)] if command == "record" else []
        config = self.folder / f"{self.site}.yaml"
        log = (self.folder / f"{self.site}.{name}.log").open("ab")
        with log:
            given = (command, "--config", str(config), *more)
            self.processes[name] = self.starter(*given, stdout=log, stderr=log)

    def kill(self, name: str) -> None:
        """Kill one process and start it again."""
        process = self.processes[name]
        process.kill()
        process.wait()
        self.start(name)

    def running(self) -> bool:
        """Whether any process is running; raises RuntimeError when one has failed."""
        for name, process in self.processes.items():
            if process.poll() not in (None, 0):
                raise RuntimeError((self.folder / f"{self.site}.{name}.log").read_text())
        return any(process.poll() is None for process in self.processes.values())

    def end(self) -> None:
        """Kill all processes."""
        for process in self.processes.values():
            process.kill()
            process.wait()


def progress(site: SiteProcesses) -> dict[str, float]:
    """The number of messages that each part has processed."""
    try:
        with Bus(site.url, site.site) as bus:
            sent = [Outbox(bus, camera, live=False).known for camera in CAMERAS]
            decided = progress_of(bus)
    except UserError:
        return {}
    node = sum(sum(each.numbers.values()) for each in sent)
    recorded = sum(read_progress(site.out).taken.values()) if site.out.is_dir() else 0
    return {
        "node": node,
        "associator": decided,
        "recorder": recorded,
        "redis": (node + decided + recorded) / 3,
    }


@dataclass
class Killer:
    """Kills each part at points of its progress drawn with ``seed``."""

    site: SiteProcesses
    seed: int
    points: dict[str, list[float]]

    def step(self) -> None:
        """Kill each part that has reached its next point."""
        at = progress(self.site)
        chance = random.Random(f"{self.seed} {sum(self.site.kills.values())}")
        for part, points in self.points.items():
            if points and at.get(part, 0) >= points[0]:
                points.pop(0)
                time.sleep(chance.uniform(0, 0.1))
                self._kill(part, chance)

    def _kill(self, part: str, chance: random.Random) -> None:
        if part == "redis":
            with redis.Redis.from_url(self.site.url) as client:
                os.kill(client.info("server")["process_id"], signal.SIGKILL)
        elif part == "associator":
            self.site.kill(chance.choice(["associator-1", "associator-2"]))
        else:
            self.site.kill(part)
        self.site.kills[part] += 1


def run(
    folder: Path,
    url: str,
    name: str,
    source: Path,
    step: Callable[[SiteProcesses], None],
    start: Starter,
) -> SiteProcesses:
    """Run the parts to the end; ``step`` is called repeatedly meanwhile."""
    config = {
        "site": name,
        "redis": url,
        "cameras": {camera: {"source": f"{source}", **CALIBRATED} for camera in CAMERAS},
        "recording": {"segment_s": 0.1},
    }
    (folder / f"{name}.yaml").write_bytes(msgspec.json.encode(config))
    site = SiteProcesses(folder, url, name, start)
    try:
        for part in ("recorder", "associator-1", "associator-2", "node"):
            site.start(part)
        while site.running():
            step(site)
            time.sleep(_POLL_S)
    finally:
        site.end()
    return site


def rows(out: Path) -> dict[str, Any]:
    """The results of a run in comparable form."""
    directory = RunDirectory(out)
    return {
        "export": export_run(directory, "csv", out.with_suffix(".csv")).read_bytes(),
        "tracklets": directory.tracklets().to_dicts(),
        "events": directory.events().to_dicts(),
        "cameras": directory.cameras(),
    }


def measure(
    folder: Path, kills: dict[str, int], seconds: int, seed: int, start: Starter
) -> dict[str, Any]:
    """Compare an undisturbed and a disturbed run of the same recording."""
    source = recording(folder / "people.parquet", seconds, people=seconds // 5, seed=seed)
    with EmbeddedServer(folder / "redis", restarts=10_000) as server:
        whole: dict[str, float] = {}
        calm = run(
            folder, server.url, "calm", source, lambda site: whole.update(progress(site)), start
        )
        chance = random.Random(seed)
        points = {
            part: sorted(chance.uniform(0, 0.95 * whole[part]) for _ in range(kills[part]))
            for part in PARTS
        }
        killers: list[Killer] = []

        def step(site: SiteProcesses) -> None:
            if not killers:
                killers.append(Killer(site, seed, points))
            killers[0].step()

        begin = time.monotonic()
        disturbed = run(folder, server.url, "disturbed", source, step, start)
        taken = time.monotonic() - begin
    expected, found = rows(calm.out), rows(disturbed.out)
    return {
        "kills": dict(disturbed.kills),
        "rows": len(expected["export"].splitlines()) - 1,
        "people": RunDirectory(calm.out).identities()["global_id"].n_unique(),
        "equal": {name: expected[name] == found[name] for name in expected},
        "seconds": round(taken, 1),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kills", type=int, default=25, help="number of kills of each part")
    parser.add_argument("--seconds", type=int, default=300, help="length of the recording")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        kills = dict.fromkeys(PARTS, arguments.kills)
        found = measure(Path(folder), kills, arguments.seconds, arguments.seed, start_command)
    if arguments.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:8} {value}")


if __name__ == "__main__":
    main()
