"""Memory and disk use of the real associator, recorder and Redis over hours of event time.

The bench replaces the node: simulated people walk from camera to camera, and every camera publishes
its messages each second of event time. All other parts are command line processes. `--picture`
draws the curves.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import psutil
import redis
from numpy.typing import NDArray

from pipeline.associator.checkpoint import tracklets_in
from pipeline.bus import backpressure
from pipeline.bus.embedded_redis import EmbeddedServer
from pipeline.bus.keys import OBSERVATIONS, TRACKLETS
from pipeline.bus.messages import (
    CameraMessage,
    Message,
    ObservationsMessage,
    TrackletMessage,
    WatermarkMessage,
    pack,
    tracklet_message,
)
from pipeline.bus.outbox import Outbox
from pipeline.bus.revisions import Revisions
from pipeline.bus.streams import Bus
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.schema import CameraRecord
from trackers.tracklet import Tracklet

DIMENSION = 128
STAY_S, WALK_S, VISITS = 8, 12, 4
SAMPLES = 120
MB = 1e6


@dataclass(frozen=True)
class Visit:
    """One person in the view of a camera from ``start`` to ``end``, seconds."""

    camera: int
    track_id: int
    start: int
    end: int
    appearance: NDArray[np.float32]


def visits(cameras: int, seconds: int, people_per_minute: float) -> list[Visit]:
    """The visits of all people in order of time; each walks past some cameras along a ring."""
    chance = np.random.default_rng(0)
    planned: list[tuple[int, int, NDArray[np.float32]]] = []
    for _ in range(int(seconds / 60 * people_per_minute)):
        appearance = chance.normal(size=DIMENSION).astype(np.float32)
        at = int(chance.uniform(0, seconds - VISITS * (STAY_S + WALK_S)))
        camera, step = int(chance.integers(cameras)), int(chance.choice([-1, 1]))
        for number in range(VISITS):
            planned.append((at, (camera + number * step) % cameras, appearance))
            at += STAY_S + int(chance.integers(1, WALK_S))
    planned.sort(key=lambda visit: visit[:2])
    tracks = [0] * cameras
    found = []
    for at, camera, appearance in planned:
        tracks[camera] += 1
        found.append(Visit(camera, tracks[camera], at, at + STAY_S, appearance))
    return found


def camera_messages(
    camera_id: str, here: list[Visit], at: int, fps: int, revisions: Revisions, *, ended: bool
) -> list[tuple[str, Message]]:
    """The messages of a camera of ``fps`` frames a second for the second before ``at``."""
    found = [tracklet(camera_id, visit, at, fps) for visit in here]
    tracklets = [(TRACKLETS, tracklet_sent(one, at, revisions)) for one in found]
    rows = [row for visit in here if visit.start < at for row in observations(visit, at, fps)]
    state = CameraRecord(
        *(camera_id, "simulated", 640, 480, fps, at * fps, 0.0, float(at), "recorded"),
        "complete" if ended else "running",
    )
    return [
        *([(OBSERVATIONS, as_message(camera_id, rows, fps))] if rows else []),
        (OBSERVATIONS, CameraMessage(state)),
        *tracklets,
        (TRACKLETS, WatermarkMessage(camera_id, at, ended)),
    ]


def tracklet_sent(one: Tracklet, at: int, revisions: Revisions) -> TrackletMessage:
    """The message of a tracklet, as a node sends it."""
    if not one.closed:
        return revisions.next(one, at)
    revisions.end(one.track_id)
    return tracklet_message(one, at)


def tracklet(camera_id: str, visit: Visit, at: int, fps: int) -> Tracklet:
    """The tracklet of a visit as of the time ``at``."""
    seconds = np.arange(visit.start, min(at, visit.end), dtype=np.float64)
    chance = np.random.default_rng((visit.camera, visit.track_id))
    seen = visit.appearance + chance.normal(scale=0.15, size=(STAY_S, DIMENSION)).astype(np.float32)
    embeddings = (seen / np.linalg.norm(seen, axis=1, keepdims=True))[: len(seconds)]
    feet = np.stack([seconds, 100 + 40 * (seconds - visit.start), seconds * 0 + 300], axis=1)
    return Tracklet(
        camera_id=camera_id,
        track_id=visit.track_id,
        revision=at - visit.start,
        start=float(visit.start),
        end=float(seconds[-1]),
        count=len(seconds) * fps,
        closed=at >= visit.end,
        exemplars=embeddings.astype(np.float32),
        qualities=np.full(len(seconds), 0.7, np.float32),
        exemplar_times=seconds,
        path=np.column_stack([feet, np.full(len(seconds), 150.0)]),
    )


def observations(visit: Visit, at: int, fps: int) -> list[tuple[int, int]]:
    """Frame and track of a visit in the second before ``at``."""
    return [((at - 1) * fps + frame, visit.track_id) for frame in range(fps)]


def as_message(camera_id: str, rows: list[tuple[int, int]], fps: int) -> ObservationsMessage:
    """Observations of these frames and tracks."""
    index, track = np.array(sorted(rows), np.int64).T
    left = (index * 8 + track * 31) % 600
    boxes = np.stack([left, left * 0 + 150, left + 40, left * 0 + 300], axis=1)
    return ObservationsMessage(
        camera_id=camera_id,
        frame_index=pack(index),
        timestamp=pack(index / fps),
        track_id=pack(track),
        boxes=pack(boxes.astype(np.float32)),
        scores=pack(np.full(len(index), 0.9, np.float32)),
    )


def send(bus: Bus, cameras: int, all_visits: list[Visit], seconds: int, fps: int) -> Iterator[int]:
    """Send all messages; yields each second of event time once it was sent."""
    outboxes = [Outbox(bus, f"cam{camera:02}", live=False) for camera in range(cameras)]
    revisions = [Revisions() for _ in outboxes]
    coming, here = iter(all_visits), list[Visit]()
    following = next(coming, None)
    for at in range(1, seconds + 1):
        while following is not None and following.start < at:
            here.append(following)
            following = next(coming, None)
        backpressure.wait_for_capacity(bus, threading.Event())
        for camera, outbox in enumerate(outboxes):
            mine = [visit for visit in here if visit.camera == camera]
            outbox.send(
                camera_messages(
                    f"cam{camera:02}", mine, at, fps, revisions[camera], ended=at == seconds
                ),
                ended=at == seconds,
            )
        here = [visit for visit in here if visit.end > at]
        yield at


def sample(client: redis.Redis, bus: Bus, parts: dict[str, psutil.Process]) -> dict[str, float]:
    """Current memory, disk use and stream lengths."""
    memory, disk = client.info("memory"), client.info("persistence")
    return {
        **{f"{name}_mb": part.memory_info().rss / MB for name, part in parts.items()},
        **{f"{name}_processor_s": sum(part.cpu_times()[:2]) for name, part in parts.items()},
        "redis_mb": memory["used_memory"] / MB,
        "aof_mb": disk["aof_current_size"] / MB,
        **{f"{name}_entries": count for name, count in bus.lengths().items()},
        "gallery_tracklets": tracklets_in(bus.state()),
    }


def start_parts(folder: Path) -> dict[str, subprocess.Popen[bytes]]:
    """The associator and the recorder of ``folder/site.yaml``, as processes."""
    commands = {"associator": ["associate"], "recorder": ["record", "--out", folder / "run"]}
    site = ["--config", str(folder / "site.yaml")]
    return {
        name: subprocess.Popen([sys.executable, "-m", "pipeline", *map(str, command), *site])
        for name, command in commands.items()
    }


def measure(folder: Path, cameras: int, hours: float, people: float, fps: int) -> dict[str, object]:
    """Measure one long run."""
    seconds = int(hours * 3600)
    all_visits = visits(cameras, seconds, people)
    with EmbeddedServer(folder / "redis") as server, Bus(server.url, "endurance") as bus:
        config = {
            "site": "endurance",
            "redis": server.url,
            "cameras": {f"cam{camera:02}": {"source": "none.mp4"} for camera in range(cameras)},
        }
        (folder / "site.yaml").write_bytes(msgspec.json.encode(config))
        bus.declare()
        running = start_parts(folder)
        parts = {name: psutil.Process(process.pid) for name, process in running.items()}
        begin, curve = time.monotonic(), list[dict[str, float]]()
        with redis.Redis.from_url(server.url) as client:
            for at in send(bus, cameras, all_visits, seconds, fps):
                if at % max(seconds // SAMPLES, 1) == 0 and at < seconds:
                    held = sample(client, bus, parts)
                    curve.append({"hours": at / 3600, "s": time.monotonic() - begin, **held})
            took = {name: processor_s(process.pid) for name, process in running.items()}
    found = RunDirectory(folder / "run")
    rows = found.observations().height
    return {
        "cameras": cameras,
        "hours": hours,
        "tracklets": len(all_visits),
        "recorded": found.tracklets().height,
        "observations": rows,
        "processor_s": {name: round(spent, 1) for name, spent in took.items()},
        "observations_a_processor_second": round(rows / sum(took.values())),
        "while_running": while_running(curve, all_visits, fps, list(parts)),
        "people": found.identities()["global_id"].n_unique(),
        "seconds": round(time.monotonic() - begin, 1),
        "most": {name: round(max(row[name] for row in curve), 1) for name in curve[0]},
        "growth": growth(curve),
        "curve": [{name: round(value, 3) for name, value in row.items()} for row in curve],
    }


def processor_s(pid: int) -> float:
    """Wait for a part, which must not fail; the processor seconds that it took."""
    _, status, used = os.wait4(pid, 0)
    if status != 0:
        raise SystemExit("bench endurance: a part failed, see above")
    return used.ru_utime + used.ru_stime


def while_running(
    curve: list[dict[str, float]], all_visits: list[Visit], fps: int, parts: list[str]
) -> dict[str, int]:
    """Observations a processor second of each part and of all, without the start and the finish.

    From the first quarter of the samples on: messages that wait are as many then as at the last.
    """
    first, last = curve[len(curve) // 4], curve[-1]
    count = sent(all_visits, last["hours"], fps) - sent(all_visits, first["hours"], fps)
    spent = {name: last[f"{name}_processor_s"] - first[f"{name}_processor_s"] for name in parts}
    spent["all"] = sum(spent.values())
    return {name: round(count / max(seconds, 1e-9)) for name, seconds in spent.items()}


def sent(all_visits: list[Visit], hours: float, fps: int) -> int:
    """How many observations were sent until a moment of event time."""
    at = round(hours * 3600)
    return sum(fps * (min(one.end, at) - one.start) for one in all_visits if one.start < at)


def growth(curve: list[dict[str, float]]) -> dict[str, float]:
    """The ratio of the mean of the last quarter to that of the second quarter; 1 means flat."""
    quarter = len(curve) // 4
    second, last = curve[quarter : 2 * quarter], curve[-quarter:]
    return {
        name: round(sum(r[name] for r in last) / max(sum(r[name] for r in second), 1e-9), 2)
        for name in curve[0]
        if name not in ("hours", "s") and not name.endswith("_processor_s")
    }


def draw(found: dict[str, object], path: Path) -> None:
    """Draw the curves into a picture."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    curve = found["curve"]
    assert isinstance(curve, list)
    hours = [row["hours"] for row in curve]
    panels = {
        "memory, MB": ("associator_mb", "recorder_mb", "redis_mb"),
        "disk of Redis, MB": ("aof_mb",),
        "entries in the streams": (
            *("observations_entries", "tracklets_entries", "identities_entries"),
        ),
        "tracklets in the gallery": ("gallery_tracklets",),
    }
    figure, axes = pyplot.subplots(2, 2, figsize=(10, 6), sharex=True)
    for axis, (title, names) in zip(axes.flat, panels.items(), strict=True):
        for name in names:
            axis.plot(hours, [row[name] for row in curve], label=name.rsplit("_", 1)[0])
        axis.set_title(title, fontsize=10)
        axis.set_ylim(bottom=0)
        axis.legend(fontsize=8)
        axis.grid(alpha=0.3)
    for axis in axes[1]:
        axis.set_xlabel("hours of event time")
    figure.tight_layout()
    figure.savefig(path, dpi=90)


def main() -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--hours", type=float, default=6.0, help="hours of event time")
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--people", type=float, default=6.0, help="new people per minute")
    parser.add_argument("--fps", type=int, default=5, help="frames a second of each camera")
    parser.add_argument("--picture", type=Path, help="draw the curves into this file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(
            Path(folder), arguments.cameras, arguments.hours, arguments.people, arguments.fps
        )
    if arguments.picture:
        draw(found, arguments.picture)
    if arguments.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        if name != "curve":
            print(f"{name:12} {value}")


if __name__ == "__main__":
    main()
