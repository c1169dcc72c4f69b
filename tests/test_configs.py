"""Every file under configs/ is loaded, and the default one says what the code does."""

from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from demo_scene.scene import CAMERAS, SIZE
from pipeline.analytics.places import Places, check_places
from pipeline.config.load import load_config
from pipeline.config.schema import SiteConfig
from pipeline.paths import config_folder
from pipeline.reid.recipe_file import load_recipe
from pipeline.weights import load_manifest

FILES = sorted(config_folder().rglob("*.y*ml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_is_valid(path: Path) -> None:
    if path.name == "models.yaml":
        manifest = load_manifest(path)
        assert {SiteConfig().detector.model, SiteConfig().reid.model} <= manifest.keys()
    elif path.parent.name == "reid":
        load_recipe(str(path))
    else:
        load_config(path)


def test_nothing_but_yaml_lies_in_configs() -> None:
    assert FILES == sorted(path for path in config_folder().rglob("*") if path.is_file())


def test_default_yaml_is_every_key_with_its_default() -> None:
    path = config_folder() / "default.yaml"
    assert load_config(path) == SiteConfig()
    written = yaml.safe_load(path.read_text())
    assert list(written) == list(SiteConfig.model_fields)
    for name, values in written.items():
        section = getattr(SiteConfig(), name)
        if isinstance(section, BaseModel):
            assert list(values) == list(type(section).model_fields), name


def test_every_key_of_default_yaml_is_explained() -> None:
    lines = (config_folder() / "default.yaml").read_text().splitlines()
    section_or_cameras = ("cameras: {}", *(f"{name}:" for name in SiteConfig.model_fields))
    bare = [line for line in lines if line and "#" not in line and line not in section_or_cameras]
    assert bare == []


def test_the_scene_of_the_demo_has_its_zone_and_line_in_its_cameras() -> None:
    config = load_config(config_folder() / "demo-walk.yaml")
    check_places(Places(config.zones, config.lines), dict.fromkeys(CAMERAS, SIZE), calibrated=False)
    assert (len(config.zones), len(config.lines)) == (1, 1)


def test_the_demo_has_four_calibrated_cameras() -> None:
    cameras = load_config(config_folder() / "demo.yaml").cameras
    assert list(cameras) == ["cam01", "cam02", "cam03", "cam04"]
    assert all(camera.calibration is not None for camera in cameras.values())
