"""Versions of the run directory, and names that lead out of it."""

import os
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from builders import camera, make_run, without_time
from pipeline.config.load import check_config
from pipeline.errors import UserError
from pipeline.run_directory.layout import (
    contained,
    file_inside,
    observation_folders,
    upgrade,
    version_of,
)
from pipeline.run_directory.preparing import prepare
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.schema import IDENTITIES, OBSERVATIONS, TRACKLETS, VERSION
from pipeline.run_directory.segments import read_segment, segments, write_segment

BOX = (1.0, 2.0, 3.0, 4.0)
ROWS = [("gate", 0, 1, BOX), ("gate", 14, 2, BOX), ("yard", 3, 1, BOX)]
OWNERS = {("gate", 1): 7, ("yard", 1): 7}


def version_1(folder: Path) -> Path:
    """A run directory as the first version wrote it."""
    make_run(folder, ROWS, OWNERS)
    (folder / "schema.json").unlink()
    tables = {folder / "tracklets": TRACKLETS, folder / "identities": IDENTITIES}
    for camera_id, place in observation_folders(folder).items():
        old = place.with_name(f"camera={camera_id}")
        place.rename(old)
        tables[old] = OBSERVATIONS
    for place, schema in tables.items():
        (path,) = segments(place)
        names = without_time(schema).names
        write_segment(place, read_segment(path, schema).select(names), "1-0", 0)
    return folder


def test_version_1_is_read_as_it_is(tmp_path: Path) -> None:
    old = RunDirectory(version_1(tmp_path / "old"))
    new = RunDirectory(make_run(tmp_path / "new", ROWS, OWNERS))
    for name in ("observations", "trajectories", "tracklets", "events"):
        assert_frame_equal(getattr(old, name)(), getattr(new, name)())
    expected = datetime(1970, 1, 1, 0, 0, 1, 400_000, UTC)
    assert old.trajectories()["time"].to_list()[1] == expected
    assert not (old.path / "schema.json").exists()


def test_version_1_is_upgraded_and_can_be_continued(tmp_path: Path) -> None:
    folder = version_1(tmp_path / "old")
    config = check_config({"site": "test"}, "site.yaml")
    prepare(tmp_path / "other", config)
    (tmp_path / "other" / "config.yaml").replace(folder / "config.yaml")
    before = RunDirectory(folder).trajectories()
    prepare(folder, config, resume=True)
    assert version_of(folder) == VERSION
    assert sorted(os.listdir(folder / "observations")) == ["camera_id=gate", "camera_id=yard"]
    assert_frame_equal(RunDirectory(folder).trajectories(), before)
    assert not upgrade(folder)


def test_an_upgrade_that_was_killed_goes_on(tmp_path: Path) -> None:
    folder = version_1(tmp_path / "old")
    before = RunDirectory(folder).trajectories()
    observations = folder / "observations"
    (observations / "camera=gate").rename(observations / "camera_id=gate")
    assert_frame_equal(RunDirectory(folder).trajectories(), before)
    assert upgrade(folder)
    assert_frame_equal(RunDirectory(folder).trajectories(), before)


def test_a_later_version_is_refused(tmp_path: Path) -> None:
    folder = make_run(tmp_path, ROWS, OWNERS)
    (folder / "schema.json").write_text('{"version": 3}')
    with pytest.raises(UserError, match=r"version 3 of the run directory.*Upgrade fusetrack"):
        RunDirectory(folder)
    (folder / "schema.json").write_text("{")
    with pytest.raises(UserError, match=r"schema\.json is damaged"):
        RunDirectory(folder)


def test_a_run_directory_is_for_its_owner_alone(tmp_path: Path) -> None:
    prepare(tmp_path / "run", check_config({"site": "test"}, "site.yaml"))
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "name",
    ["..", ".", "", "../x", "a/../../x", "/etc/x", "a\0b", "a/..", 256 * "a", "ü" * 128 + "/x"],
)
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="is not inside it"):
        contained(tmp_path, name)


def test_only_files_inside_are_read(tmp_path: Path) -> None:
    root = tmp_path / "run"
    root.mkdir()
    (root / "a.jpg").touch()
    (tmp_path / "b.jpg").touch()
    (root / "link.jpg").symlink_to(tmp_path / "b.jpg")
    assert file_inside(root, "a.jpg") == root / "a.jpg"
    for name in ("", ".", "../b.jpg", "link.jpg", str(tmp_path / "b.jpg"), "a\0b", 5_000 * "a"):
        assert file_inside(root, name) is None, name


def test_a_link_that_leads_out_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "video").symlink_to(tmp_path)
    with pytest.raises(UserError, match="is not inside it"):
        contained(tmp_path / "run", "video/x.mp4")
    assert contained(tmp_path / "run", "thumbnails/gate/1.jpg").name == "1.jpg"


@pytest.mark.parametrize("name", ["../gate", "/gate", "..", "a/b"])
def test_a_camera_called_like_a_path_is_refused(tmp_path: Path, name: str) -> None:
    folder = make_run(tmp_path, [], {}, cameras=[camera(name)])
    with pytest.raises(UserError, match=r"cameras\.json is damaged: a camera is called"):
        RunDirectory(folder)


def test_other_programs_find_the_same_column_in_the_path(tmp_path: Path) -> None:
    make_run(tmp_path, ROWS, OWNERS)
    table = pl.read_parquet(tmp_path / "observations" / "**/*.parquet", hive_partitioning=True)
    assert sorted(table["camera_id"].unique()) == ["gate", "yard"]
    assert table.schema["time"] == pl.Datetime("us", "UTC")
