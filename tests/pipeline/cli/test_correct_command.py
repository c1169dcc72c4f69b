"""`fusetrack correct`, and names in the output of other commands."""

import json
from pathlib import Path

import pytest

import fusetrack as api
from builders import camera, make_run
from command_line import Command
from pipeline.config.schema import RetentionConfig
from pipeline.exports import export_run
from pipeline.recorder.camera_times import times_at
from pipeline.recorder.retention import Retention
from pipeline.report import write_report
from pipeline.run_directory.corrections import read_corrections
from pipeline.run_directory.reader import RunDirectory

BOX = (10.0, 20.0, 50.0, 90.0)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Person 1 at the gate, then 2 in the hall."""
    boxes = [("gate", i, 1, BOX) for i in range(10)] + [("hall", i, 2, BOX) for i in range(20, 40)]
    cameras = [camera("gate", 100), camera("hall", 100)]
    ids = {("gate", 1): 1, ("hall", 2): 2}
    return make_run(tmp_path / "run", boxes, ids, cameras=cameras, ground=True)


def people(run: Path) -> list[int]:
    """The global ids in the run."""
    return RunDirectory(run).trajectories()["global_id"].unique().sort().to_list()


def test_each_correction_is_made_and_listed(fusetrack: Command, run: Path) -> None:
    outcome = fusetrack("correct", run, "--merge", 2, "--into", 1)
    assert (outcome.code, outcome.out) == (0, "correction 1: 2 is the same person as 1\n")
    assert people(run) == [1]
    fusetrack("correct", run, "--split", 1, "--at", 3)
    assert people(run) == [1, 3]
    fusetrack("correct", run, "--move", "gate/1", "--to", 3)
    assert fusetrack("correct", run, "--name", 3, "--as", "Anna").code == 0
    made = json.loads(fusetrack("correct", run, "--undo", 1, "--json").out)
    assert (made["number"], made["undoes"]) == (5, 1)
    assert people(run) == [2, 3]
    listed = json.loads(fusetrack("correct", run, "--json").out)
    assert [one["kind"] for one in listed] == ["merge", "split", "move", "name", "undo"]
    assert all(one["by"] for one in listed)
    assert "3 is called Anna" in fusetrack("correct", run).out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--merge", 1, "--into", 1], "1 cannot be merged with itself"),
        (["--merge", 9, "--into", 1], "unknown identity 9"),
        (["--merge", 1], "expected two global ids"),
        (["--into", 1], "--into and --anyway go with --merge"),
        (["--to", 1], "--since and --to go with --move"),
        (["--split", 1, "--at", "noon"], "'noon' is no time"),
        (["--move", "gate"], "expected CAMERA/TRACK, such as gate/12"),
        (["--name", 1], "expected a global id and a name"),
        (["--undo", 1, "--name", 1, "--as", "Anna"], "one correction at a time"),
    ],
)
def test_bad_input_ends_with_2_and_one_line(
    fusetrack: Command, run: Path, arguments: list[object], said: str
) -> None:
    outcome = fusetrack("correct", run, *arguments)
    assert outcome.code == 2
    assert said in outcome.err
    assert outcome.err.count("\n") == 1
    assert not read_corrections(run).history


def test_who_was_merged_or_forgotten_meanwhile_is_told(fusetrack: Command, run: Path) -> None:
    assert fusetrack("correct", run, "--merge", 2, "--into", 1).code == 0
    outcome = fusetrack("correct", run, "--name", 2, "--as", "Ben")
    said = "there is no identity 2 any more: what was 2 is 1 now"
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert said in outcome.err
    with pytest.raises(api.UserError, match=said):
        api.Run(run).correct.name(2, "Ben")
    fusetrack("correct", run, "--split", 1, "--at", 2)
    assert fusetrack("forget", run, "--identity", 1).code == 0
    outcome = fusetrack("correct", run, "--name", 1, "--as", "Anna")
    said = "identity 1 is no longer in the run: the person was forgotten"
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert said in outcome.err
    with pytest.raises(api.UserError, match=said):
        api.Run(run).correct.merge(3, into=1)


def test_in_python_it_is_the_same(run: Path) -> None:
    edited = api.Run(run).correct
    made = edited.merge(2, into=1)
    assert edited.split(1, at=3.0, camera="hall").new_id == 3
    assert edited.move("hall", 2, since=3.0).new_id == 4
    assert edited.move("hall", 2, to=1, since=3.0).changes[0].before == 4
    edited.name(1, "Anna")
    assert edited.undo(made.number).undoes == 1
    assert edited.names() == {1: "Anna"}
    assert [one.number for one in edited.history()] == [1, 2, 3, 4, 5, 6]
    with pytest.raises(api.UserError, match="cannot be merged with itself"):
        edited.merge(1, into=1)


def test_names_stand_in_summary_report_and_geojson_and_go_with_the_person(
    fusetrack: Command, run: Path
) -> None:
    fusetrack("correct", run, "--name", 2, "--as", "Anna <b>")
    assert "Anna <b>" in fusetrack("summary", run).out
    assert "Anna &lt;b&gt;" in write_report(RunDirectory(run)).read_text()
    features = json.loads(export_run(RunDirectory(run), "geojson").read_text())["features"]
    names = {one["properties"]["global_id"]: one["properties"].get("name") for one in features}
    assert names == {1: None, 2: "Anna <b>"}
    fusetrack("correct", run, "--merge", 1, "--into", 2)
    assert "2 corrections" in fusetrack("forget", run, "--identity", 2, "--dry-run").out
    assert len(read_corrections(run).history) == 2
    assert "2 corrections" in fusetrack("forget", run, "--identity", 2).out
    left = [path for path in run.rglob("*") if path.is_file() and b"Anna" in path.read_bytes()]
    assert left == []
    assert read_corrections(run).history == ()
    # Its number is not given again.
    assert read_corrections(run).last == 2


def test_names_expire_with_the_last_event_of_a_person(fusetrack: Command, run: Path) -> None:
    fusetrack("correct", run, "--name", 1, "--as", "Anna")
    Retention(run, RetentionConfig(identities_s=1e12)).remove(times_at(run, 0.0))
    assert len(read_corrections(run).history) == 1
    removed = Retention(run, RetentionConfig(identities_s=0.001)).remove(times_at(run, 1e9))
    assert removed["corrections"] == 1
    assert read_corrections(run).history == ()
