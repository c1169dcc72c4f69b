"""Score calibration and topology of a site's association."""

from pathlib import Path

import pytest

from command_line import recorded_walk
from pipeline.associator.open import association_of
from pipeline.config.load import check_config
from pipeline.errors import UserError
from pipeline.reid.embedding import default_calibration, similarity_calibration
from pipeline.runtime.assemble import check_settings
from trackers.association.appearance import Calibration


def test_recorded_embeddings_get_the_unknown_calibration(tmp_path: Path) -> None:
    walk = str(recorded_walk(tmp_path / "walk.parquet", frames=1))
    recorded = check_config({"cameras": {"cam0": {"source": walk}}}, "here")
    assert association_of(recorded).rules.calibration == default_calibration()


def test_one_video_camera_is_enough_for_the_calibration_of_the_network(tmp_path: Path) -> None:
    walk = str(recorded_walk(tmp_path / "walk.parquet", frames=1))
    cameras = {"cam0": {"source": walk}, "door": {"source": "door.mp4"}}
    mixed = check_config({"cameras": cameras}, "here")
    assert association_of(mixed).rules.calibration == similarity_calibration(mixed.reid)


def site_with_links(*links: dict[str, object]) -> dict[str, object]:
    cameras = {"door": {"source": "door.mp4"}, "aisle": {"source": "aisle.mp4"}}
    return {"cameras": cameras, "camera_links": list(links)}


def test_camera_links_of_the_site_file_reach_the_association() -> None:
    config = check_config(site_with_links({"between": ["door", "aisle"], "seconds": 12}), "here")
    topology = association_of(config).rules.topology
    assert topology.transitions["aisle"]["door"].typical_s == 12
    assert topology.transitions["door"]["aisle"].typical_s == 12


def test_without_camera_links_the_topology_is_empty() -> None:
    assert not association_of(check_config({}, "here")).rules.topology.transitions


def test_a_camera_link_to_an_unknown_camera_is_refused() -> None:
    config = check_config(site_with_links({"between": ["door", "till"], "seconds": 12}), "here")
    with pytest.raises(UserError, match=r"camera_links name camera till, .* one of door, aisle"):
        association_of(config)


def test_zones_and_lines_that_do_not_fit_the_cameras_are_refused(tmp_path: Path) -> None:
    walk = str(recorded_walk(tmp_path / "walk.parquet", frames=1))
    line = {"camera": "dor", "points": [[0, 0], [9, 9]]}
    site = {"cameras": {"door": {"source": walk}}, "lines": {"entry": line}}
    config = check_config(site, "here")
    with pytest.raises(UserError, match=r"lines\.entry names camera dor, .* one of door"):
        check_settings(config, [])
    site["lines"] = {"entry": {**line, "camera": "door"}}
    check_settings(check_config(site, "here"), [])
    site["zones"] = {"floor": {"points": [[0, 0], [9, 0], [9, 9]]}}
    with pytest.raises(UserError, match=r"zones\.floor is on the ground, and no camera is cal"):
        check_settings(check_config(site, "here"), [])


def test_a_camera_link_needs_two_cameras_and_a_positive_time() -> None:
    with pytest.raises(UserError, match="expected two different cameras"):
        check_config(site_with_links({"between": ["door", "door"], "seconds": 1}), "here")
    with pytest.raises(UserError, match="camera_links"):
        check_config(site_with_links({"between": ["door", "aisle"], "seconds": -1}), "here")


def test_the_configured_calibration_takes_precedence() -> None:
    fit = {"slope": 3.0, "midpoint": 0.25, "common": 0.1, "spread": 0.2, "visit": 0.3, "crop": 0.4}
    config = check_config({"association": {"similarity": fit}}, "here")
    calibration = association_of(config).rules.calibration
    assert calibration == Calibration(**fit)


def test_calibrated_cameras_are_tracked_on_the_ground() -> None:
    matrix = [[100.0, 0, 5], [0, 100, 5], [0, 0, 1]]
    calibration = {"homography": matrix}
    config = check_config({"cameras": {"a": {"calibration": calibration}, "b": {}}}, "here")
    (view,) = association_of(config).views.items()
    assert (view[0], view[1].sees_height) == ("a", False)
