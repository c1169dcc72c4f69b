from pathlib import Path

import pytest

from builders import camera, make_run
from pipeline.run_directory.people_table import people
from pipeline.run_directory.reader import RunDirectory

BOX = (1.0, 2.0, 3.0, 4.0)


def test_a_person_is_one_row_over_all_cameras(tmp_path: Path) -> None:
    rows = [("yard", 20, 1), ("gate", 0, 1), ("gate", 1, 1), ("gate", 9, 4), ("gate", 5, 2)]
    owners = {("gate", 1): 7, ("gate", 4): 7, ("yard", 1): 7, ("gate", 2): 3}
    run = RunDirectory(make_run(tmp_path, [(*row, BOX) for row in rows], owners))
    third, seventh = people(run).iter_rows(named=True)
    assert third == {
        "global_id": 3,
        "name": None,
        "cameras": ["gate"],
        "tracks": 1,
        "observations": 1,
        "first": 0.5,
        "last": 0.5,
        "confidence": pytest.approx(0.9),
    }
    assert (seventh["global_id"], seventh["cameras"]) == (7, ["gate", "yard"])
    assert (seventh["tracks"], seventh["observations"]) == (3, 4)
    assert (seventh["first"], seventh["last"]) == (0.0, 2.0)


def test_tracks_without_an_identity_are_not_counted(tmp_path: Path) -> None:
    run = RunDirectory(make_run(tmp_path, [("gate", 0, 1, BOX)], {("gate", 2): 8}))
    assert people(run).height == 0


def test_without_people_the_table_is_empty_with_the_same_columns(tmp_path: Path) -> None:
    empty = people(RunDirectory(make_run(tmp_path / "a", [], {}, cameras=[camera("gate")])))
    one = people(RunDirectory(make_run(tmp_path / "b", [("g", 0, 1, BOX)], {("g", 1): 7})))
    assert empty.height == 0
    assert empty.schema == one.schema
