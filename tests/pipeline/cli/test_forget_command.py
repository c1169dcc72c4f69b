"""`fusetrack forget`: output and exit codes."""

import json
from pathlib import Path

import msgspec
import pytest
import yaml

from builders import Observation, camera, make_run
from command_line import Command
from pipeline.run_directory.durable import exclusive_writer
from pipeline.run_directory.progress import RecorderProgress, write_progress
from pipeline.run_directory.reader import RunDirectory

BOX = (10.0, 20.0, 50.0, 90.0)
ROWS: list[Observation] = [("gate", frame, 1 + frame // 5, BOX) for frame in range(10)]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Person 1 is present until 0.4 s, person 2 from 0.5 s on."""
    ids = {("gate", 1): 1, ("gate", 2): 2}
    return make_run(tmp_path / "run", ROWS, ids, cameras=[camera("gate", 11)])


def test_it_prints_what_it_removed(fusetrack: Command, run: Path) -> None:
    (run / "report.html").write_text("page")
    outcome = fusetrack("forget", run, "--identity", 1)
    assert outcome.code == 0
    assert outcome.out == (
        "removed identity 1: 1 embeddings, 1 identity events, 5 observations, 1 reports, "
        "1 tracklets\n"
    )
    assert set(RunDirectory(run).trajectories()["global_id"]) == {2}


def test_json_output(fusetrack: Command, run: Path) -> None:
    planned = json.loads(fusetrack("forget", run, "--identity", 2, "--dry-run", "--json").out)
    assert RunDirectory(run).observations().height == 10
    done = json.loads(fusetrack("forget", run, "--identity", 2, "--json").out)
    removed = {"embeddings": 1, "identity events": 1, "observations": 5, "tracklets": 1}
    assert done == {
        **{"run": str(run), "identity": 2, "dry_run": False, "removed": removed, "notes": []}
    }
    assert planned == {**done, "dry_run": True}


@pytest.mark.parametrize("option", [[], ["--dry-run"]])
def test_forgetting_twice_ends_with_2_and_one_line(
    fusetrack: Command, run: Path, option: list[str]
) -> None:
    assert fusetrack("forget", run, "--identity", 1).code == 0
    outcome = fusetrack("forget", run, "--identity", 1, *option)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"fusetrack: {run} has no identity 1: expected one listed")
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("options", [[], ["--identity", "1", "--expired"]])
def test_exactly_one_thing_to_remove_is_required(
    fusetrack: Command, run: Path, options: list[str]
) -> None:
    outcome = fusetrack("forget", run, *options)
    assert outcome.code == 2
    assert "expected one of --identity ID and --expired" in outcome.err


def test_not_a_run_directory(fusetrack: Command, tmp_path: Path) -> None:
    outcome = fusetrack("forget", tmp_path, "--identity", 1)
    assert outcome.code == 2
    assert "is not a run directory" in outcome.err


def test_an_unfinished_run_may_belong_to_a_running_site(fusetrack: Command, run: Path) -> None:
    write_progress(run, RecorderProgress("some", site="shop"))
    outcome = fusetrack("forget", run, "--identity", 1)
    assert outcome.code == 0
    assert "this run did not finish" in outcome.err
    write_progress(run, RecorderProgress("some", site="shop", finished=True))
    assert fusetrack("forget", run, "--identity", 2).err == ""


def test_a_given_redis_that_is_unreachable_is_an_error(
    fusetrack: Command, run: Path, tmp_path: Path
) -> None:
    write_progress(run, RecorderProgress("some", site="shop"))
    outcome = fusetrack("forget", run, "--identity", 1, "--redis", f"unix://{tmp_path}/none.sock")
    assert outcome.code == 2
    assert "cannot use Redis" in outcome.err
    assert RunDirectory(run).observations().height == 10


def test_the_redis_files_of_a_killed_run_are_removed(
    fusetrack: Command, run: Path, tmp_path: Path
) -> None:
    (run / "redis").mkdir()
    (run / "redis" / "appendonly.aof").write_bytes(b"looks")
    write_progress(run, RecorderProgress("some", site="shop", redis=f"unix://{tmp_path}/none.sock"))
    outcome = fusetrack("forget", run, "--identity", 1)
    assert outcome.code == 0
    assert "1 Redis files" in outcome.out
    assert not (run / "redis").exists()


def limited(run: Path, tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text("retention: {observations_s: 0.55}\n")
    # The age of a recording counts from its last frame.
    (run / "cameras.json").write_bytes(msgspec.json.encode([camera("gate", 10)]))
    return path


def test_expired_data_is_removed_by_the_configuration(
    fusetrack: Command, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = limited(run, tmp_path)
    written = (run / "cameras.json").stat().st_mtime
    monkeypatch.setattr("time.time", lambda: written)
    outcome = fusetrack("forget", run, "--expired", "--config", config)
    assert (outcome.code, outcome.out) == (0, "removed expired data: 5 observations\n")
    assert fusetrack("forget", run, "--expired", "--config", config).out == (
        "removed expired data: nothing\n"
    )
    monkeypatch.setattr("time.time", lambda: written + 3600)
    done = json.loads(fusetrack("forget", run, "--expired", "--config", config, "--json").out)
    assert done["removed"] == {"observations": 5}


def test_the_runs_own_retention_is_used_and_its_absence_reported(
    fusetrack: Command, run: Path
) -> None:
    outcome = fusetrack("forget", run, "--expired")
    assert outcome.code == 2
    assert "no retention limit is set" in outcome.err
    (run / "config.yaml").write_text(yaml.safe_dump({"retention": {"identities_s": 1e-3}}))
    assert fusetrack("forget", run, "--expired").out.startswith("removed expired data: 2 ident")
    assert fusetrack("forget", run, "--expired", "--dry-run").code == 2


def test_a_running_recorder_removes_expired_data_itself(
    fusetrack: Command, run: Path, tmp_path: Path
) -> None:
    config = limited(run, tmp_path)
    with exclusive_writer(run):
        outcome = fusetrack("forget", run, "--expired", "--config", config)
    assert outcome.code == 2
    assert "another recorder writes to" in outcome.err
