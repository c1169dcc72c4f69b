from pathlib import Path

import pytest

from command_line import Command
from pipeline.runtime.doctor import Check
from pipeline.weights import load_manifest

pytestmark = pytest.mark.usefixtures("empty_cache")


def damage(cache: Path) -> Path:
    path = cache / "weights" / "yolo26n" / "yolo26n.pt"
    path.parent.mkdir(parents=True)
    path.write_text("not the weights")
    return path


def test_list_names_every_entry_and_its_state(fusetrack: Command, empty_cache: Path) -> None:
    damage(empty_cache)
    outcome = fusetrack("weights", "list")
    rows = [line.split("│")[1:-1] for line in outcome.out.splitlines() if line.startswith("│")]
    installed = {row[0].strip(): row[2].strip() for row in rows if row[0].strip()}
    assert outcome.code == 0
    shipped = ("omni-scale-people", "omni-scale-open", "fusion-people")
    expected = {"yolo26n": "wrong hash"} | dict.fromkeys(shipped, "yes")
    assert installed == {name: "missing" for name in load_manifest()} | expected


def test_verify_is_2_only_when_a_file_is_wrong(fusetrack: Command, empty_cache: Path) -> None:
    outcome = fusetrack("weights", "verify", "yolo26n")
    path = empty_cache / "weights" / "yolo26n" / "yolo26n.pt"
    assert (outcome.code, outcome.out) == (0, f"missing    yolo26n {path}\n")
    damage(empty_cache)
    outcome = fusetrack("weights", "verify", "yolo26n")
    assert (outcome.code, outcome.out) == (2, f"wrong hash yolo26n {path}\n")
    assert fusetrack("weights", "verify").code == 2
    files = sum(len(entry.files) for entry in load_manifest().values())
    assert len(fusetrack("weights", "verify").out.splitlines()) == files


@pytest.mark.parametrize("command", ["path", "verify", "pull"])
def test_an_unknown_name_is_one_line(fusetrack: Command, command: str) -> None:
    outcome = fusetrack("weights", command, "yolo26")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.count("\n") == 1
    assert "Did you mean 'yolo26" in outcome.err


def test_path_needs_the_file(fusetrack: Command, empty_cache: Path) -> None:
    outcome = fusetrack("weights", "path", "yolo26n")
    assert outcome.code == 2
    assert "fusetrack weights pull yolo26n" in outcome.err
    path = damage(empty_cache)
    outcome = fusetrack("weights", "path", "yolo26n")
    assert outcome.code == 2
    assert str(path) in outcome.err


def test_pull_reports_each_step(fusetrack: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def pull(names: list[str], say: object) -> None:
        assert callable(say)
        say(f"{names[0]}: fetched [bold]")

    monkeypatch.setattr("pipeline.weights.pull", pull)
    outcome = fusetrack("weights", "pull", "yolo26n")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "yolo26n: fetched [bold]\n")


@pytest.mark.parametrize(
    ("works", "needed", "code", "state"),
    [(True, True, 0, "ok"), (False, False, 0, "not available"), (False, True, 2, "missing")],
)
def test_doctor_is_2_only_without_what_is_needed(
    fusetrack: Command,
    monkeypatch: pytest.MonkeyPatch,
    works: bool,
    needed: bool,
    code: int,
    state: str,
) -> None:
    check = Check("a thing", works, needed, "/a/[place]")
    monkeypatch.setattr("pipeline.runtime.doctor.checks", lambda: [check])
    outcome = fusetrack("doctor")
    assert outcome.code == code
    assert [cell.strip() for cell in outcome.out.splitlines()[3].split("│")[1:-1]] == [
        "a thing",
        state,
        "/a/[place]",
    ]
    assert bool(outcome.err) == (code == 2)
