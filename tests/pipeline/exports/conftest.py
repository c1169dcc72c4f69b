"""One small run for all format tests: two cameras, one person in both, one track without an id."""

from pathlib import Path

import pytest

from builders import camera, make_run
from pipeline.run_directory.reader import RunDirectory


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """Person 7 in gate (frames 0, 1, 3) and yard (0, 9); person 9 and an unknown one in gate."""
    observations = [
        ("gate", 0, 1, (10.1, 20.2, 50.3, 90.4)),
        ("gate", 1, 1, (11, 20, 51, 90)),
        ("gate", 1, 2, (300, 20, 400, 90)),
        ("gate", 3, 1, (12, 20, 52, 90)),
        ("gate", 3, 3, (600, 20, 700, 90)),
        ("yard", 0, 1, (5, 6, 7, 8)),
        ("yard", 9, 1, (5, 6, 7, 8)),
    ]
    global_ids = {("gate", 1): 7, ("gate", 2): 9, ("yard", 1): 7}
    cameras = [camera("gate"), camera("yard"), camera("void")]
    return RunDirectory(make_run(tmp_path / "run", observations, global_ids, cameras=cameras))


@pytest.fixture
def empty_run(tmp_path: Path) -> RunDirectory:
    """One camera without any person."""
    return RunDirectory(make_run(tmp_path / "empty", [], {}, cameras=[camera("gate")]))
