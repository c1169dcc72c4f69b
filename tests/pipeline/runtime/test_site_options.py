from pathlib import Path

import pytest

from command_line import recorded_walk
from pipeline.config.load import check_config
from pipeline.config.schema import SiteConfig
from pipeline.errors import UserError
from pipeline.runtime.site_options import with_cameras_only, with_options

FILE = {
    "site": "hall",
    "device": "cpu",
    "cameras": {
        "door": {"source": "old.mp4", "fps": 5.0},
        "yard": {"source": "yard.mp4"},
    },
    "tracker": {"name": "ocsort", "buffer_s": 2.5},
}


@pytest.fixture
def config() -> SiteConfig:
    return check_config(FILE, "the test")


@pytest.fixture
def video(tmp_path: Path) -> Path:
    (tmp_path / "new.mp4").touch()
    return tmp_path / "new.mp4"


def test_a_source_with_the_name_of_a_camera_replaces_only_its_source(
    config: SiteConfig, video: Path
) -> None:
    site = with_options(config, [f"door={video}"], {})
    assert list(site.cameras) == ["door", "yard"]
    assert site.cameras["door"].source == str(video)
    assert site.cameras["door"].fps == 5.0
    assert site.cameras["yard"] == config.cameras["yard"]


def test_any_other_source_is_a_new_camera(config: SiteConfig, video: Path) -> None:
    site = with_options(config, [str(video)], {})
    assert list(site.cameras) == ["door", "yard", "new"]
    assert site.cameras["new"].source == str(video)


def test_a_file_of_recorded_detections_gives_all_its_cameras(tmp_path: Path) -> None:
    path = recorded_walk(tmp_path / "walk.parquet", frames=2, cameras=3)
    site = with_options(SiteConfig(), [str(path)], {})
    assert {name: camera.source for name, camera in site.cameras.items()} == dict.fromkeys(
        ["cam0", "cam1", "cam2"], str(path)
    )


def test_options_override_the_file_and_nothing_else(config: SiteConfig) -> None:
    options: dict[str, object] = {
        "device": "cuda:1",
        "redis": None,
        "tracker": {"name": "botsort"},
        "reid": {"model": None},
        "recording": {"video": True, "thumbnails": None},
    }
    site = with_options(config, [], options)
    assert site.device == "cuda:1"
    assert (site.tracker.name, site.tracker.buffer_s) == ("botsort", 2.5)
    assert (site.recording.video, site.recording.thumbnails) == (True, False)
    assert site.reid == config.reid
    assert site.site == "hall"
    assert config.tracker.name == "ocsort"


def test_options_that_are_not_given_change_nothing(config: SiteConfig) -> None:
    site = with_options(config, [], {"device": None, "tracker": {"name": None}})
    assert site == config


def test_a_wrong_option_is_named() -> None:
    with pytest.raises(UserError, match=r"^the command line: detector\.min_score: .*, got 7"):
        with_options(SiteConfig(), [], {"detector": {"min_score": 7}})


def test_a_camera_without_a_source_is_named(video: Path) -> None:
    config = check_config({"cameras": {"door": {"fps": 5}, "yard": {}}}, "the test")
    with pytest.raises(UserError, match="camera door has no source: give door=SOURCE"):
        with_options(config, [], {})
    with pytest.raises(UserError, match="camera yard has no source"):
        with_options(config, [f"door={video}"], {})


def test_a_node_has_the_named_cameras_and_the_links_between_them() -> None:
    names = ("gate", "hall", "yard")
    links = [{"between": pair, "seconds": 4} for pair in (("gate", "hall"), ("hall", "yard"))]
    cameras = {name: {"source": f"{name}.mp4"} for name in names}
    ends = [[0, 0], [9, 9]]
    lines = {"in": {"camera": "gate", "points": ends}, "out": {"camera": "yard", "points": ends}}
    values = {"cameras": cameras, "camera_links": links, "lines": lines}
    config = check_config(values, "the test")
    part = with_cameras_only(config, ["hall", "gate"])
    assert list(part.lines) == ["in"]
    assert list(part.cameras) == ["gate", "hall"]
    assert [link.between for link in part.camera_links] == [("gate", "hall")]
    with pytest.raises(UserError, match=r"unknown camera 'hal'\. Did you mean 'hall'"):
        with_cameras_only(config, ["hal"])
    with pytest.raises(UserError, match="no camera is named"):
        with_cameras_only(config, [])
