"""`fusetrack calibrate`."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from command_line import Command
from pipeline.calibration.fit import to_picture
from videos import make_video

TRUE = np.array([[40.0, 0.0, 160.0], [0.0, -40.0, 200.0], [0.0, 0.05, 1.0]])
GROUND = np.array([[-3.0, 0.0], [3.0, 0.0], [3.0, 4.0], [-3.0, 4.0], [1.0, 2.0]])


@pytest.fixture
def site(tmp_path: Path) -> Path:
    video = make_video(tmp_path / "gate.mp4", frames=3, size=(320, 240))
    path = tmp_path / "site.yaml"
    path.write_text(f"cameras: {{gate: {{source: {video}}}, hall: {{}}}}")
    return path


def written(path: Path, ground: np.ndarray) -> Path:
    pixels = to_picture(ground, TRUE)
    pairs = [
        {"picture": p.tolist(), "ground": g.tolist()} for p, g in zip(pixels, ground, strict=True)
    ]
    path.write_text(yaml.safe_dump({"cameras": {"gate": {"points": pairs}}}))
    return path


def test_the_yaml_is_printed_and_the_picture_written(fusetrack: Command, site: Path) -> None:
    points, out = written(site.with_name("points.yaml"), GROUND), site.with_name("grid.png")
    said = fusetrack("calibrate", site, "--camera", "gate", "--points", points, "--out", out)
    assert said.code == 0, said.err
    homography = yaml.safe_load(said.out)["cameras"]["gate"]["calibration"]["homography"]
    # A homography is defined up to a factor.
    np.testing.assert_allclose(np.divide(homography, homography[2][2]), TRUE, atol=1e-3)
    assert said.err.splitlines() == [
        f"point {number}: off by 0.0 pixels, 0.00 m on the ground" for number in range(1, 6)
    ]
    assert cv2.imread(str(out)).shape == (240, 320, 3)


def test_four_points_are_reported_to_always_fit(fusetrack: Command, site: Path) -> None:
    points, out = written(site.with_name("points.yaml"), GROUND[:4]), site.with_name("grid.png")
    said = fusetrack("calibrate", site, "--camera", "gate", "--points", points, "--out", out)
    assert said.code == 0
    assert "four points always fit" in said.err


def test_a_calibration_of_the_site_is_drawn_on_another_picture(
    fusetrack: Command, tmp_path: Path
) -> None:
    site, out = tmp_path / "site.yaml", tmp_path / "grid.png"
    calibration = {"homography": TRUE.tolist()}
    site.write_text(yaml.safe_dump({"cameras": {"gate": {"calibration": calibration}}}))
    cv2.imwrite(str(tmp_path / "still.png"), np.zeros((240, 320, 3), np.uint8))
    still = ("--source", tmp_path / "still.png")
    said = fusetrack("calibrate", site, "--camera", "gate", *still, "--out", out)
    assert (said.code, said.out) == (0, "")
    assert cv2.imread(str(out)).any()


@pytest.mark.parametrize("count", [0, 3])
def test_too_few_points_write_nothing(fusetrack: Command, site: Path, count: int) -> None:
    points, out = written(site.with_name("points.yaml"), GROUND[:count]), site.with_name("grid.png")
    said = fusetrack("calibrate", site, "--camera", "gate", "--points", points, "--out", out)
    assert (said.code, said.out) == (2, "")
    words = f"camera gate: expected at least 4 points, got {count}"
    assert said.err == f"fusetrack: {points}: {words}\n"
    assert not out.exists()


def test_missing_files_and_cameras_are_named(fusetrack: Command, site: Path) -> None:
    out = ("--out", site.with_name("grid.png"))
    points = ("--points", written(site.with_name("points.yaml"), GROUND))
    for arguments, words in (
        (("--camera", "gat", *points, *out), "Did you mean 'gate'"),
        (("--camera", "gate", *out), "no calibration"),
        (("--camera", "hall", *points, *out), "unknown camera 'hall'"),
        (("--camera", "gate", *points, "--source", "none.mp4", *out), "none.mp4"),
        (("--camera", "gate", *points, "--out", "grid.txt"), "must end with"),
    ):
        said = fusetrack("calibrate", site, *arguments)
        assert (said.code, said.out) == (2, "")
        assert words in said.err
        assert len(said.err.splitlines()) == 1


def test_invalid_yaml(fusetrack: Command, site: Path) -> None:
    points = site.with_name("points.yaml")
    points.write_text("cameras: [")
    out = site.with_name("grid.png")
    said = fusetrack("calibrate", site, "--camera", "gate", "--points", points, "--out", out)
    assert said.code == 2
    assert f"{points} is not valid YAML" in said.err
