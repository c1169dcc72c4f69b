"""The commands of a live site, whose file is edited while they run."""

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

import fork_server
from command_line import killed_at_the_end
from pipeline.errors import UserError
from pipeline.run_directory.reader import RunDirectory
from pipeline.weights import weights_path
from rtsp_cameras import Cameras, clip_mount, h264_clip, missing_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing_server()), reason=missing_server()),
]

ENDS_WITHIN_S = 600.0
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """The address of a camera; skips without the weights of the detector."""
    try:
        weights_path("yolo26n")
    except UserError as error:
        pytest.skip(str(error))
    with Cameras({"/one": clip_mount(h264_clip(tmp_path / "clip"))}) as cameras:
        yield cameras.url("one", "bob:secret@")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts `fusetrack NAME --config SITE ARGUMENTS`; its output goes to NAME.log."""

    def call(name: str, *arguments: object) -> subprocess.Popen[str]:
        options = ["--config", tmp_path / "site.yaml", *arguments]
        with (tmp_path / f"{name}.log").open("w") as log:
            process = fork_server.start(name, *options, stdout=log, stderr=log)
        started.append(process)
        return process

    with killed_at_the_end() as started:
        yield call


def until(true: Callable[[], bool], *processes: subprocess.Popen[str]) -> None:
    """Wait until ``true()``, while the processes run."""
    deadline = time.monotonic() + ENDS_WITHIN_S
    while not true():
        assert all(process.poll() is None for process in processes)
        assert time.monotonic() < deadline
        time.sleep(0.1)


def write(path: Path, redis: str | None = None, **cameras: str) -> None:
    """A site file, with segments every tenth of a second."""
    site = {
        "cameras": {name: {"source": source} for name, source in cameras.items()},
        "recording": {"segment_s": 0.1},
        "association": {"interval_s": 0.2},
        "redis": redis,
    }
    path.write_text(yaml.safe_dump(site))


def states(out: Path) -> dict[str, str]:
    """The recorded state of each camera."""
    if not (out / "config.yaml").exists():
        return {}
    return {camera.camera_id: camera.state for camera in RunDirectory(out).cameras()}


def test_a_run_follows_its_file_and_sighup(start: Start, address: str, tmp_path: Path) -> None:
    file, out, log = tmp_path / "site.yaml", tmp_path / "run", tmp_path / "run.log"
    write(file)
    process = start("run", "--out", out)
    until(lambda: (out / "redis").is_dir(), process)
    write(file, gate=address)
    process.send_signal(signal.SIGHUP)
    until(lambda: states(out) == {"gate": "running"}, process)
    # From here on only the file watcher is used.
    file.write_text("cameras: {gate: {sauce: 1}}")
    until(lambda: "unknown key" in log.read_text(), process)
    write(file)
    until(lambda: states(out) == {"gate": "removed"}, process)
    write(file, gate=address, yard=address)
    until(lambda: states(out) == {"gate": "running", "yard": "running"}, process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(ENDS_WITHIN_S) == 128 + signal.SIGTERM
    said = log.read_text()
    for line in ("added gate", "The site continues unchanged", "removed gate", "added gate, yard"):
        assert line in said
    assert "Traceback" not in said
    run = RunDirectory(out)
    assert set(run.config()["cameras"]) == {"gate", "yard"}  # type: ignore[call-overload]
    before = [
        set(yaml.safe_load((out / f"config.{number}.yaml").read_text())["cameras"])
        for number in (1, 2, 3)
    ]
    assert before == [set(), {"gate"}, set()]
    assert set(states(out).values()) == {"complete"}
    written = [path.read_text() for path in (*out.glob("config*.yaml"), out / "cameras.json")]
    assert not any("secret" in text for text in (*written, said))


def test_each_part_follows_the_file(
    start: Start, address: str, redis_url: str, tmp_path: Path
) -> None:
    file, out = tmp_path / "site.yaml", tmp_path / "run"
    write(file, redis_url)
    node, associator = start("node"), start("associate")
    recorder = start("record", "--out", out)
    parts = node, associator, recorder
    until(lambda: (out / "recorder.json").exists(), *parts)
    write(file, redis_url, gate=address)
    until(lambda: states(out) == {"gate": "running"}, *parts)
    until(lambda: "gate" in json.dumps(RunDirectory(out).config()), *parts)
    node.kill()
    node.wait()
    write(file, redis_url, yard=address)
    node = start("node")
    until(lambda: states(out) == {"gate": "removed", "yard": "running"}, node, *parts[1:])
    node.send_signal(signal.SIGTERM)
    assert node.wait(ENDS_WITHIN_S) == 128 + signal.SIGTERM
    assert associator.wait(ENDS_WITHIN_S) == 0
    assert recorder.wait(ENDS_WITHIN_S) == 0
    assert states(out) == {"gate": "removed", "yard": "complete"}
    assert [camera.removed is None for camera in RunDirectory(out).cameras()] == [False, True]
