"""Homographies from point pairs."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from pipeline.calibration.fit import PointPairs, as_yaml, fit_homography, read_pairs, to_picture
from pipeline.config.load import load_config
from pipeline.errors import UserError

#: A camera that looks along y, slightly down.
TRUE = np.array([[80.0, 10.0, 400.0], [5.0, -20.0, 650.0], [0.01, 0.12, 1.0]])
CORNERS = np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 6.0], [0.0, 6.0]])
GRID = np.array([[x, y] for x in (0.0, 2.0, 4.0) for y in (0.0, 3.0, 6.0)])


def seen(ground: np.ndarray) -> PointPairs:
    return PointPairs(to_picture(ground, TRUE), ground)


@pytest.mark.parametrize("ground", [CORNERS, GRID], ids=["exactly four", "nine"])
def test_a_known_homography_is_recovered(ground: np.ndarray) -> None:
    fit = fit_homography(seen(ground))
    np.testing.assert_allclose(fit.homography / fit.homography[2, 2], TRUE, rtol=1e-4)
    assert fit.pixels.shape == fit.metres.shape == (len(ground),)
    assert max(fit.pixels.max(), fit.metres.max()) < 1e-3


def test_ground_far_from_the_origin_keeps_its_centimetres() -> None:
    pairs = seen(GRID)
    fit = fit_homography(PointPairs(pairs.picture, GRID + np.array([4000.0, 9000.0])))
    assert max(fit.pixels.max(), fit.metres.max()) < 1e-3


def test_the_error_of_each_pair_in_pixels_and_metres() -> None:
    pairs = seen(GRID)
    pairs.picture[4] += [30, 0]
    fit = fit_homography(pairs)
    assert np.argmax(fit.pixels) == 4
    assert 10 < fit.pixels[4] < 30
    landed = to_picture(pairs.ground, fit.homography)
    np.testing.assert_allclose(fit.pixels[4], np.hypot(*(landed[4] - pairs.picture[4])))
    # 30 pixels are about half a metre there.
    assert 0.1 < fit.metres[4] < 0.6
    # Least squares: no better homography is near.
    worse = to_picture(pairs.ground, TRUE) - pairs.picture
    assert (fit.pixels**2).sum() < (worse**2).sum()


@pytest.mark.parametrize("count", [0, 3])
def test_fewer_than_four_points_are_refused(count: int) -> None:
    with pytest.raises(UserError, match=f"at least 4 points, got {count}"):
        fit_homography(seen(CORNERS[:count]))


@pytest.mark.parametrize(
    "ground",
    [
        [[0, 0], [2, 0], [4, 0], [0, 6]],
        [[0, 0], [1, 0], [2, 0], [4, 0], [0, 6]],
        [[0, 0], [1, 1], [2, 2], [3, 3]],
        [[0, 0], [0, 0], [4, 0], [0, 6]],
    ],
    ids=["three of four", "all but one", "all", "one twice"],
)
def test_points_on_a_line_are_refused(ground: list[list[float]]) -> None:
    with pytest.raises(UserError, match="no three are on a line"):
        fit_homography(seen(np.array(ground, float)))


def test_three_points_nearly_on_a_line_are_refused() -> None:
    pairs = seen(np.array([[0.0, 0], [2, 0], [4, 0], [0, 6]]))
    pairs.picture[1, 1] += 3
    with pytest.raises(UserError, match="no three are on a line"):
        fit_homography(pairs)


def test_one_point_four_times_is_refused() -> None:
    with pytest.raises(UserError, match="picture points are the same"):
        fit_homography(seen(np.ones((4, 2))))


def test_pairs_that_no_camera_can_see_are_refused() -> None:
    pairs = seen(CORNERS)
    with pytest.raises(UserError, match="each pair to be the same place"):
        fit_homography(PointPairs(pairs.picture, CORNERS[[1, 0, 2, 3]]))


def test_points_behind_the_camera_have_no_pixel() -> None:
    assert np.isnan(to_picture(np.array([[0.0, -20.0]]), TRUE)).all()


def test_the_yaml_is_valid_in_a_site_file(tmp_path: Path) -> None:
    homography = fit_homography(seen(GRID)).homography
    path = tmp_path / "site.yaml"
    path.write_text(as_yaml("gate", homography))
    calibration = load_config(path).cameras["gate"].calibration
    assert calibration is not None
    assert calibration.homography == homography.tolist()


def test_pairs_are_read(tmp_path: Path) -> None:
    path = tmp_path / "points.yaml"
    path.write_text("cameras: {gate: {points: [{picture: [10, 20.5], ground: [-1, 2]}]}}")
    pairs = read_pairs(path, "gate")
    assert pairs.picture.tolist() == [[10, 20.5]]
    assert pairs.ground.tolist() == [[-1, 2]]


def test_an_empty_list_has_no_pairs(tmp_path: Path) -> None:
    path = tmp_path / "points.yaml"
    path.write_text("cameras: {gate: {points: []}}")
    assert read_pairs(path, "gate").picture.shape == (0, 2)


GOOD = {"picture": [1, 2], "ground": [3, 4]}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (None, "cameras"),
        ({}, "cameras is missing"),
        ({"cameras": []}, "cameras: expected keys and values"),
        ({"cameras": {"gat": {"points": []}}}, "'gate'. Did you mean 'gat'"),
        ({"cameras": {"gate": {}}}, "cameras.gate: points is missing"),
        ({"cameras": {"gate": {"points": 3}}}, "cameras.gate.points: expected a list"),
        ({"cameras": {"gate": {"points": [GOOD, 7]}}}, "points.1: expected keys"),
        ({"cameras": {"gate": {"points": [{"picture": [1, 2]}]}}}, "points.0: ground is missing"),
        ({"cameras": {"gate": {"points": [{**GOOD, "z": 1}]}}}, "unknown key 'z'"),
        ({"cameras": {"gate": {"points": [{**GOOD, "ground": [1]}]}}}, "ground: expected two"),
        ({"cameras": {"gate": {"points": [{**GOOD, "ground": [1, True]}]}}}, "expected two"),
        ({"cameras": {"gate": {"points": [{**GOOD, "ground": [1, float("nan")]}]}}}, "two numbers"),
    ],
)
def test_the_fault_is_named(tmp_path: Path, values: object, words: str) -> None:
    path = tmp_path / "points.yaml"
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(UserError) as refused:
        read_pairs(path, "gate")
    assert str(path) in str(refused.value)
    assert words in str(refused.value)
