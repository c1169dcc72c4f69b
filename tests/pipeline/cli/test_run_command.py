"""`fusetrack run`: options, output and exit codes.

The networks are fakes, see `fakes`; the real ones run in test_demo_clips.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from command_line import Command, recorded_walk
from fakes import BOX, RED, ColourDetector, ColourEmbedder, scene
from pipeline.config.load import load_config
from pipeline.run_directory.reader import RunDirectory
from pipeline.runtime import assemble


@pytest.fixture
def walk(tmp_path: Path) -> Path:
    return recorded_walk(tmp_path / "walk.parquet", frames=20)


@pytest.fixture
def shots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of pictures, with fake networks."""
    models = ColourDetector(), ColourEmbedder()
    monkeypatch.setattr(assemble, "open_models", lambda *_: models)
    (tmp_path / "shots").mkdir()
    for index in range(30):
        cv2.imwrite(str(tmp_path / "shots" / f"{index}.png"), scene({BOX: RED}))
    return tmp_path / "shots"


def test_one_line_gives_the_number_of_people_and_the_path(
    fusetrack: Command, walk: Path, tmp_path: Path
) -> None:
    outcome = fusetrack("run", walk, "--out", tmp_path / "run")
    (line,) = outcome.err.splitlines()
    assert line.startswith("2 people, ")
    assert line.endswith(f" s: {tmp_path / 'run'}")
    assert (outcome.code, outcome.out) == (0, "")


def test_quiet_prints_nothing(fusetrack: Command, walk: Path, tmp_path: Path) -> None:
    outcome = fusetrack("run", walk, "--quiet", "--out", tmp_path / "run")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    assert len(RunDirectory(tmp_path / "run").trajectories()) == 40


def test_quiet_still_prints_errors(fusetrack: Command, shots: Path, tmp_path: Path) -> None:
    (shots / "3.png").write_bytes(b"broken")
    outcome = fusetrack("run", shots, "--quiet", "--out", tmp_path / "run")
    (line,) = outcome.err.splitlines()
    assert outcome.code == 2
    assert line.startswith("fusetrack: shots: ")
    assert "3.png" in line


def test_json_prints_one_event_per_line_and_the_result_last(
    fusetrack: Command, walk: Path, tmp_path: Path
) -> None:
    outcome = fusetrack("run", walk, "--json", "--out", tmp_path / "run")
    events = [json.loads(line) for line in outcome.out.splitlines()]
    assert outcome.err == ""
    assert {event["event"] for event in events[:-1]} == {"progress"}
    assert events[-1]["event"] == "finished"
    assert (events[-1]["run"], events[-1]["faults"]) == (str(tmp_path / "run"), [])
    assert events[-1]["people"] == 2
    assert {name: c["frames"] for name, c in events[-1]["cameras"].items()} == {
        "cam0": 20,
        "cam1": 20,
    }


def test_json_names_the_faults_of_the_input(
    fusetrack: Command, shots: Path, tmp_path: Path
) -> None:
    (shots / "3.png").write_bytes(b"broken")
    outcome = fusetrack("run", shots, "--json", "--out", tmp_path / "run")
    (fault,) = json.loads(outcome.out.splitlines()[-1])["faults"]
    assert outcome.code == 2
    assert "3.png" in fault


def test_options_and_sources_override_the_file(
    fusetrack: Command, shots: Path, tmp_path: Path
) -> None:
    (tmp_path / "site.yaml").write_text(
        "cameras: {door: {source: nowhere.mp4, fps: 10}}\n"
        "tracker: {name: botsort, buffer_s: 0.7}\n"
        "recording: {thumbnails: false}\n"
    )
    given = ["--tracker", "ocsort", "--save-thumbnails", "--device", "cpu"]
    outcome = fusetrack(
        "run", f"door={shots}", "--config", tmp_path / "site.yaml", *given, "--out", tmp_path / "r"
    )
    assert outcome.code == 0, outcome.err
    used = load_config(tmp_path / "r" / "config.yaml")
    assert list(used.cameras) == ["door"]
    assert (used.cameras["door"].source, used.cameras["door"].fps) == (str(shots), 10.0)
    assert (used.tracker.name, used.tracker.buffer_s, used.device) == ("ocsort", 0.7, "cpu")
    assert (tmp_path / "r" / "thumbnails" / "door" / "1.jpg").is_file()


def test_without_out_the_folder_is_named_by_the_time(
    fusetrack: Command, walk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fusetrack("run", walk)
    (folder,) = (tmp_path / "runs").glob("20??????T??????Z")
    assert len(RunDirectory(folder).trajectories()) == 40


def test_videos_are_refused_before_the_run(fusetrack: Command, walk: Path, tmp_path: Path) -> None:
    outcome = fusetrack("run", walk, "--save-video", "--out", tmp_path / "run")
    assert outcome.code == 2
    assert "contains recorded detections" in outcome.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_models_load_ends_it_cleanly(
    fusetrack: Command,
    shots: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
) -> None:
    opened, before = assemble.open_models, signal.getsignal(number)

    def interrupted(*arguments: object) -> object:
        signal.raise_signal(number)
        return opened(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(assemble, "open_models", interrupted)
    outcome = fusetrack("run", shots, "--save-video", "--out", tmp_path / "run")
    assert outcome.code == 128 + number
    assert "fusetrack: shots: stopped before its end" in outcome.err
    assert "fusetrack: stopped, so no videos are written" in outcome.err
    assert not (tmp_path / "run" / "video").exists()
    assert signal.getsignal(number) == before


@pytest.mark.parametrize(
    ("command", "place"),
    [
        (["doctor"], "pipeline.runtime.doctor.checks"),
        (["weights", "verify"], "pipeline.weights.verify"),
        (["export", "x", "--format", "csv"], "pipeline.exports.export_run"),
    ],
)
def test_ctrl_c_in_any_other_command_is_130_and_no_traceback(
    fusetrack: Command,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    command: list[str],
    place: str,
) -> None:
    def interrupted(*arguments: object) -> None:
        signal.raise_signal(signal.SIGINT)

    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "config.yaml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(place, interrupted)
    outcome = fusetrack(*command)
    assert (outcome.code, outcome.out, outcome.err) == (130, "", "")


def test_a_bug_prints_a_traceback_and_exits_with_1(walk: Path, tmp_path: Path) -> None:
    script = (
        "from pipeline.runtime import workers\n"
        "from pipeline.cli.main import main\n"
        "def broken(*arguments): raise ZeroDivisionError('an internal error')\n"
        "workers.record = broken\n"
        "main()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, "run", str(walk), "--out", str(tmp_path / "run")],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ended.returncode == 1
    assert "Traceback" in ended.stderr
    assert "in broken" in ended.stderr
    assert ended.stderr.endswith("ZeroDivisionError: an internal error\n")
    assert RunDirectory(tmp_path / "run").trajectories().is_empty()


def test_a_node_refuses_what_it_cannot_write(
    fusetrack: Command, walk: Path, tmp_path: Path
) -> None:
    (tmp_path / "site.yaml").write_text(
        f"cameras: {{cam0: {{source: {walk}}}}}\nrecording: {{video: true}}\n"
    )
    outcome = fusetrack("node", "--config", tmp_path / "site.yaml", "--redis", "redis://h")
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert "recording.video" in outcome.err


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
@pytest.mark.parametrize("kind", ["recorded", "video"])
def test_a_name_that_is_not_utf8(
    fusetrack: Command,
    kind: str,
    walk: Path,
    shots: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = walk if kind == "recorded" else shots
    folder = os.path.join(os.fsencode(tmp_path), b"\xfc")
    os.mkdir(folder)
    named = os.path.join(folder, b"Eing\xe4nge" + os.fsencode(given.suffix))
    os.rename(given, named)
    monkeypatch.chdir(os.fsdecode(folder))
    outcome = fusetrack("run", os.path.basename(os.fsdecode(named)), "--quiet")
    assert (outcome.code, outcome.err) == (0, "")
    (result,) = Path("runs").iterdir()
    cameras = RunDirectory(result).cameras()
    assert {camera.state for camera in cameras} == {"complete"}
    assert {camera.source for camera in cameras} == {f"Eing\\xe4nge{given.suffix}"}
    # The configuration leads to the file again.
    for camera in load_config(result / "config.yaml").cameras.values():
        assert os.fsencode(str(camera.source)) == named
    assert fusetrack("summary", result).code == 0
    refused = fusetrack("run", os.fsdecode(b"Eing\xe4ng.mp4"))
    assert refused.code == 2
    assert refused.err.count("\n") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_run_directory_whose_name_is_not_utf8(fusetrack: Command, walk: Path) -> None:
    out = os.fsdecode(os.path.join(os.fsencode(walk.parent), b"gr\xfcn"))
    refused = fusetrack("run", walk, "--out", out)
    assert refused.code == 2
    assert refused.err.startswith(f"fusetrack: {walk.parent}/gr\\xfcn: the name is not UTF-8")
    assert not os.path.exists(out)
