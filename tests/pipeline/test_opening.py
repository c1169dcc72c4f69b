"""What the association of a site believes of cosines."""

from pathlib import Path

from command_line import recorded_walk

from pipeline.config_file import check_config
from pipeline.embedding import similarity_calibration, unknown_calibration
from pipeline.opening import association_of


def test_recorded_embeddings_are_not_judged_as_those_of_our_network(tmp_path: Path) -> None:
    walk = str(recorded_walk(tmp_path / "walk.parquet", frames=1))
    recorded = check_config({"cameras": {"cam0": {"source": walk}}}, "here")
    assert association_of(recorded).rules.calibration == unknown_calibration()


def test_pictures_of_one_camera_are_enough_for_our_network_to_count(tmp_path: Path) -> None:
    walk = str(recorded_walk(tmp_path / "walk.parquet", frames=1))
    cameras = {"cam0": {"source": walk}, "door": {"source": "door.mp4"}}
    mixed = check_config({"cameras": cameras}, "here")
    assert association_of(mixed).rules.calibration == similarity_calibration(mixed.reid)
