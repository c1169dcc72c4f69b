"""Runs as processes: signals, kills, a full disk, no network, and separate parts."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import fork_server
from command_line import recorded_walk
from pipeline.bus.embedded_redis import EmbeddedServer
from pipeline.config.load import load_config
from pipeline.exports import export_run
from pipeline.run_directory.reader import RunDirectory
from pipeline.runtime.run import run_site
from videos import shorten

ROOT = Path(__file__).parents[3]
LONG = 30_000
QUICK_SEGMENTS = "recording: {segment_s: 0.1}\nsite: test\n"
ENDS_WITHIN_S = 600.0

# Refuses and records every attempt to reach anything but a local socket.
NO_CALLS_OUT = """
import os, sys
def watch(event, arguments):
    if event == "socket.connect" and not isinstance(arguments[1], (str, bytes)):
        name = f"{event} {arguments[1]}"
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        name = f"{event} {arguments}"
    else:
        return
    with open(os.environ["CALLS_OUT"], "a") as file:
        file.write(name + "\\n")
    raise OSError("no calls out")
sys.addaudithook(watch)
"""


def command(*arguments: object) -> list[str]:
    """The command line of `fusetrack ARGUMENTS`."""
    return [sys.executable, "-m", "pipeline", *map(str, arguments)]


def start(*arguments: object) -> subprocess.Popen[str]:
    """`fusetrack ARGUMENTS` in the background."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return fork_server.start(*arguments, **pipes, text=True)


@pytest.fixture
def long_run(tmp_path: Path) -> tuple[Path, list[object]]:
    """A run that would take minutes, with a segment every tenth of a second."""
    (tmp_path / "site.yaml").write_text(QUICK_SEGMENTS)
    source = recorded_walk(tmp_path / "long.parquet", frames=LONG)
    out = tmp_path / "run"
    return out, ["run", source, "--config", tmp_path / "site.yaml", "--out", out, "--json"]


def wait_for_frames(process: subprocess.Popen[str], frames: int) -> None:
    """Read events until a camera has seen this many frames."""
    assert process.stdout is not None
    for line in process.stdout:
        cameras = json.loads(line)["cameras"].values()
        if max(camera["frames"] for camera in cameras) >= frames:
            return
    assert process.stderr is not None
    pytest.fail(f"ended early: {process.stderr.read()}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_cleanly(
    long_run: tuple[Path, list[object]], number: signal.Signals
) -> None:
    out, arguments = long_run
    with start(*arguments) as process:
        wait_for_frames(process, 200)
        process.send_signal(number)
        _, errors = process.communicate(timeout=ENDS_WITHIN_S)
    assert process.returncode == 128 + number
    assert "Traceback" not in errors
    run = RunDirectory(out)
    assert {camera.state for camera in run.cameras()} == {"partial"}
    assert {camera.detail for camera in run.cameras()} == {"stopped before its end"}
    # Everything that was processed is there, with its identity.
    assert len(run.observations()) == sum(camera.frames for camera in run.cameras())
    assert run.trajectories()["global_id"].null_count() == 0


def test_a_kill_leaves_a_run_that_export_reads(
    long_run: tuple[Path, list[object]], tmp_path: Path
) -> None:
    out, arguments = long_run
    with start(*arguments) as process:
        wait_for_frames(process, 500)
        process.kill()
        process.communicate(timeout=ENDS_WITHIN_S)
    run = RunDirectory(out)
    observations = run.observations()
    assert len(observations) > 100
    for _, frames in observations.group_by("camera_id"):
        # No gap: every segment up to the last one that was closed.
        indices = frames["frame_index"].to_list()
        assert indices == list(range(indices[0], indices[0] + len(indices)))
    exported = export_run(run, "csv", tmp_path / "export.csv")
    assert len(exported.read_text().splitlines()) == len(observations) + 1


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare (util-linux)")
def test_a_full_disk_is_reported_and_closed_segments_stay(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(QUICK_SEGMENTS)
    source = recorded_walk(tmp_path / "long.parquet", frames=LONG)
    small, kept = tmp_path / "small", tmp_path / "kept"
    small.mkdir()
    run = command("run", source, "--config", tmp_path / "site.yaml", "--out", small / "run")
    script = (
        f'mount -t tmpfs -o size=1500k none "{small}" || exit 77; '
        f'"$@"; code=$?; cp -r "{small}/run" "{kept}"; exit $code'
    )
    ended = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh", *run],
        capture_output=True,
        text=True,
        timeout=ENDS_WITHIN_S,
        check=False,
    )
    if ended.returncode in (1, 77) and "fusetrack" not in ended.stderr:
        pytest.skip(f"cannot mount a small disk here: {ended.stderr.strip()}")
    assert ended.returncode == 2, ended.stderr
    # The compaction may meet the full disk first, and leaves it at that.
    said = [line for line in ended.stderr.splitlines() if "is compacted no more" not in line]
    assert len(said) == 1, ended.stderr
    assert "No space left" in ended.stderr
    assert str(small / "run") in ended.stderr
    assert not list(kept.rglob("*.partial"))
    assert len(RunDirectory(kept).observations()) > 0


@pytest.mark.slow
def test_no_network_access_and_no_files_elsewhere(demo_clips: list[Path], tmp_path: Path) -> None:
    """Outside pytest, where ultralytics would send reports and write settings."""
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    (tmp_path / "sitecustomize.py").write_text(NO_CALLS_OUT)
    calls = tmp_path / "calls"
    # An empty cache, so that the export is monitored too.
    cache = tmp_path / "cache"
    shutil.copytree(demo_clips[0].parents[1] / "yolo26n", cache / "weights" / "yolo26n")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)]),
        "CALLS_OUT": str(calls),
        "FUSETRACK_CACHE": str(cache),
        "HOME": str(home),
    }
    clip = shorten(demo_clips[0], tmp_path / "clip.mp4", frames=25)
    no_network = ["unshare", "--user", "--map-root-user", "--net"]
    can_cut = subprocess.run([*no_network, "true"], capture_output=True, check=False)
    arguments = command("run", clip, "--out", tmp_path / "run")
    ended = subprocess.run(
        [*(no_network if can_cut.returncode == 0 else []), *arguments],
        cwd=work,
        env=environment,
        capture_output=True,
        text=True,
        timeout=ENDS_WITHIN_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert not calls.exists(), calls.read_text()
    assert len(RunDirectory(tmp_path / "run").trajectories()) > 25
    assert "ultralytics" not in (ended.stdout + ended.stderr).lower()
    assert list(home.rglob("*")) == list(work.rglob("*")) == []


def test_the_network_monitor_detects_access(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(NO_CALLS_OUT)
    calls = tmp_path / "calls"
    script = "import urllib.request; urllib.request.urlopen('http://192.0.2.1/')"
    subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "CALLS_OUT": str(calls)},
        capture_output=True,
        check=False,
    )
    assert "192.0.2.1" in calls.read_text()


def test_separate_processes_give_the_same_as_one(tmp_path: Path) -> None:
    source = recorded_walk(tmp_path / "walk.parquet", frames=150)
    text = f"site: test\ncameras: {{cam0: {{source: {source}}}, cam1: {{source: {source}}}}}\n"
    (tmp_path / "site.yaml").write_text(text)
    config = ["--config", tmp_path / "site.yaml"]
    run_site(load_config(tmp_path / "site.yaml"), tmp_path / "whole")
    with EmbeddedServer(tmp_path / "redis") as server:
        redis = ["--redis", server.url]
        parts = [
            start("record", *config, *redis, "--out", tmp_path / "parts"),
            start("associate", *config, *redis),
            start("node", *config, *redis),
        ]
        for part in parts:
            _, errors = part.communicate(timeout=ENDS_WITHIN_S)
            assert part.returncode == 0, errors
    one, other = (
        export_run(RunDirectory(tmp_path / name), "csv", tmp_path / f"{name}.csv").read_bytes()
        for name in ("whole", "parts")
    )
    assert one == other
    assert len(one.splitlines()) > 250
