"""Perform one soak: start cameras and run, inject faults, monitor, stop and read the results."""

import os
import subprocess
import sys
import time
from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.run_directory.reader import RunDirectory

from . import site
from .faults import plan
from .record import Fault, Sample, StreamLog, Track
from .site import Cameras
from .watch import StreamReader

_START_S, _END_S = 180.0, 90.0
_SAMPLE_S, _TICK_S = 1.0, 0.1


@dataclass(frozen=True, slots=True)
class Soak:
    """The results of a soak.

    ``warm_s`` is the end of the warm-up, after which memory should be constant, ``status`` the
    exit code of the run, ``leaks`` the files that contain a password.
    """

    seconds: float
    warm_s: float
    observed: StreamLog
    samples: list[Sample]
    faults: list[Fault]
    recorded: list[Track]
    frames: dict[str, int]
    dropped: dict[str, int]
    status: int
    log: str
    leaks: list[str]


def soak(folder: Path, seconds: float, seed: int) -> Soak:
    """Run, inject faults and monitor for ``seconds``; exits when the run does not start."""
    with ExitStack() as stack:
        cameras = site.serve(folder, stack)
        config = site.write_settings(folder / "site.yaml", cameras)
        log, out = folder / "log", folder / "run"
        began = time.time()
        process = _started(config, out, log)
        stack.callback(process.kill)
        watch = StreamReader(out, process.pid, began)
        watch.start()
        ready = _wait_until_live(watch, process, log)
        faults = plan(seconds, list(cameras), site.LOCKED, seed, site.BUFFER_S)
        coming = deque(replace(f, at=f.at + ready, until=f.until + ready) for f in faults)
        samples, done = _follow(
            watch, process, Disturbance(cameras, watch, config), coming, ready + seconds
        )
        stopped = time.time() - began
        process.terminate()
        status = process.wait(_END_S)
        watch.done.set()
        watch.join()
    # The end looks at all identities once more: how old a revised one is says nothing of delays.
    identities = watch.observed.identities
    identities[:] = [one for one in identities if one.at <= stopped]
    found = RunDirectory(out)
    return Soak(
        seconds=seconds,
        warm_s=ready + min(0.4 * seconds, 600.0),
        observed=watch.observed,
        samples=samples,
        faults=done,
        recorded=list(found.tracklets().select("camera_id", "track_id").iter_rows()),
        frames={camera.camera_id: camera.frames for camera in found.cameras()},
        dropped={camera.camera_id: camera.dropped for camera in found.cameras()},
        status=status,
        log=log.read_text(),
        leaks=[str(path.relative_to(folder)) for path in (log, *out.rglob("*")) if _leaks(path)],
    )


class Disturbance:
    """Begins and ends faults. ``config`` is the site file."""

    def __init__(self, cameras: dict[str, Cameras], watch: StreamReader, config: Path) -> None:
        self._cameras = cameras
        self._watch = watch
        self._config = config
        self._password, self._next_password = site.PASSWORDS

    def begin(self, fault: Fault) -> None:
        """Begin the fault."""
        if fault.kind == "redis":
            self._watch.redis_process().kill()
        elif fault.kind == "stopped":
            self._cameras[fault.camera].pause()
        else:
            self._cameras[fault.camera].kill()
        if fault.kind == "password":
            self._password, self._next_password = self._next_password, self._password
            self._cameras[fault.camera].start(self._password)

    def end(self, fault: Fault) -> None:
        """End the fault; Redis is restarted by the run itself."""
        if fault.kind == "stopped":
            self._cameras[fault.camera].resume()
        elif fault.kind == "password":
            # The run reloads its file.
            site.write_settings(self._config, self._cameras, self._password)
        elif fault.kind in ("killed", "gone"):
            locked = fault.camera == site.LOCKED
            self._cameras[fault.camera].start(self._password if locked else "")


# As in the deployment files: avoids heap fragmentation by the frames of many threads.
_MEMORY = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "131072"}


def _started(config: Path, out: Path, log: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "pipeline", "run", "--quiet"]
    with log.open("wb") as stderr:
        return subprocess.Popen(
            [*command, "--config", str(config), "--out", str(out)],
            env={**_MEMORY, **os.environ},
            stderr=stderr,
        )


def _wait_until_live(watch: StreamReader, process: subprocess.Popen[bytes], log: Path) -> float:
    """Wait for frames of every camera; returns the seconds since the run was started."""
    deadline = time.monotonic() + _START_S
    while {seen.camera for seen in watch.observed.cameras} != set(site.CLIPS):
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"bench soak: the run did not start:\n{log.read_text()}")
        time.sleep(_TICK_S)
    return time.time() - watch.began


def _follow(
    watch: StreamReader,
    process: subprocess.Popen[bytes],
    disturbance: Disturbance,
    coming: deque[Fault],
    until: float,
) -> tuple[list[Sample], list[Fault]]:
    """Inject faults and take samples until that time; returns the faults with their real times."""
    samples, done = list[Sample](), list[Fault]()
    now: Fault | None = None
    while (moment := time.time() - watch.began) < until and process.poll() is None:
        if not samples or moment - samples[-1].at >= _SAMPLE_S:
            samples.append(watch.sample())
        if now is None and coming and moment >= coming[0].at:
            planned = coming.popleft()
            now = replace(planned, at=moment, until=moment + planned.until - planned.at)
            disturbance.begin(now)
        elif now is not None and moment >= now.until:
            disturbance.end(now)
            done.append(replace(now, until=time.time() - watch.began))
            now = None
        time.sleep(_TICK_S)
    return samples, done


def _leaks(path: Path) -> bool:
    words = [word.encode() for word in site.PASSWORDS]
    return path.is_file() and any(word in path.read_bytes() for word in words)
