"""The directions of imports, and that the names of our packages are ours alone."""

import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import check_imports

SCRIPT = Path(__file__).parents[1] / "scripts" / "check_imports.py"


def test_no_import_goes_the_wrong_way() -> None:
    assert list(check_imports.faults()) == []


def test_the_script_ends_with_0_and_says_nothing() -> None:
    result = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("place", "code", "fault"),
    [
        (
            "trackers/new.py",
            "import numpy\nimport pipeline.config.schema",
            "2: trackers must not import p",
        ),
        (
            "trackers/deep/new.py",
            "from reid_model import x",
            "1: trackers must not import reid_mod",
        ),
        (
            "reid_model/new.py",
            "def f():\n    from pipeline.runtime.run import x",
            "2: reid_model must not",
        ),
        ("pipeline/new.py", "import redis", "1: redis belongs to pipeline/bus/"),
        ("pipeline/cli/new.py", "from redis.client import Redis", "1: redis belongs to"),
        ("trackers/new.py", "import ultralytics as u", "1: ultralytics belongs to"),
    ],
)
def test_a_planted_fault_is_found(tmp_path: Path, place: str, code: str, fault: str) -> None:
    path = tmp_path / place
    path.parent.mkdir(parents=True)
    path.write_text(code)
    check_imports.ROOT = tmp_path
    (found,) = check_imports.faults()
    assert found.startswith(f"{place}:{fault}")


@pytest.mark.parametrize(
    ("place", "code"),
    [
        ("pipeline/new.py", "import trackers\nfrom reid_model.embedder import x"),
        ("pipeline/bus/new.py", "import redis"),
        ("trackers/new.py", "from trackers.detections import x\nfrom . import y"),
    ],
)
def test_what_is_allowed_is_no_fault(tmp_path: Path, place: str, code: str) -> None:
    path = tmp_path / place
    path.parent.mkdir(parents=True)
    path.write_text(code)
    check_imports.ROOT = tmp_path
    assert list(check_imports.faults()) == []


def test_a_room_does_not_import_what_stands_above_it(tmp_path: Path) -> None:
    path = tmp_path / "pipeline" / "bus" / "new.py"
    path.parent.mkdir(parents=True)
    path.write_text("from pipeline.bus.keys import x\nfrom pipeline.node.node import Node")
    check_imports.ROOT = tmp_path
    assert list(check_imports.faults()) == [
        "pipeline/bus/new.py:2: pipeline.bus stands below pipeline.node and must not import it"
    ]


def test_a_circle_is_named() -> None:
    assert list(check_imports.circles({"a": {"b"}, "b": set()})) == []
    (found,) = check_imports.circles({"a": {"b"}, "b": {"a"}})
    assert found.startswith("rooms import each other in a circle: ")


def test_every_room_has_a_floor(tmp_path: Path) -> None:
    assert list(check_imports.unnamed()) == []
    (tmp_path / "pipeline" / "attic").mkdir(parents=True)
    (tmp_path / "pipeline" / "attic" / "new.py").write_text("")
    check_imports.ROOT = tmp_path
    assert list(check_imports.unnamed()) == ["pipeline.attic has no place in ORDER"]


@pytest.mark.parametrize("name", ["pipeline", "reid_model", "trackers"])
def test_no_other_distribution_brings_a_package_of_our_name(name: str) -> None:
    owners = {re.sub(r"[-_.]+", "-", owner) for owner in packages_distributions().get(name, [])}
    assert owners <= {"fusetrack"}
