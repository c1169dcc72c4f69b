"""The simulated run directory of the storage bench is one that fusetrack reads."""

from pathlib import Path

import storage
from pipeline.run_directory.people_table import people
from pipeline.run_directory.reader import RunDirectory


def test_it_is_a_run_directory_of_people_who_pass_three_cameras(tmp_path: Path) -> None:
    site = storage.SimulatedSite(cameras=3, days=2, rows=1200)
    root = storage.simulate(tmp_path / "run", site)
    table = people(RunDirectory(root))
    assert table["observations"].to_list() == [3 * storage.VISIT_S * storage.FPS] * 4
    assert table["cameras"].list.len().to_list() == [3] * 4
    assert RunDirectory(root).observations().height == 3 * 2 * 1200
    assert len(storage.path_queries(root, site, 2)) == 2
