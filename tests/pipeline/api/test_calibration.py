"""Calibrating in the API: fit, see the grid, save to the site file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders import camera_sent
from live_api import LiveApi
from pipeline.bus.keys import OBSERVATIONS
from pipeline.config.load import load_config

# Straight down: a hundred pixels are a metre.
SQUARE = [[100, 100, 1, 1], [300, 100, 3, 1], [300, 300, 3, 3], [100, 300, 1, 3]]
SITE = "# ours\ncameras:\n  gate: {source: a.mp4} # north\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "site.yaml").write_text(SITE)
    return tmp_path / "site.yaml"


@pytest.fixture
def api(open_api: Callable[..., LiveApi], file: Path) -> LiveApi:
    """An API of gate, which has sent frames, and hall, which has not; with a site file."""
    api = open_api(file=file)
    api.receive(OBSERVATIONS, camera_sent("gate", 5))
    return api


def fit(api: LiveApi, points: list[list[float]]) -> Any:
    given = [",".join(map(str, point)) for point in points]
    return api.http.get("/calibration/gate/fit", params={"point": given})


def test_points_are_fitted_and_the_grid_is_in_the_picture(api: LiveApi) -> None:
    found = fit(api, [*SQUARE, [500, 400, 5, 4.1]]).json()
    assert len(found["error_px"]) == len(found["error_m"]) == 5
    assert 0.01 < found["error_m"][4] < 0.2
    exact = fit(api, SQUARE).json()
    assert exact["error_px"] == pytest.approx([0] * 4, abs=1e-6)
    assert np.allclose(
        np.array(exact["homography"]) / exact["homography"][2][2], np.diag([100, 100, 1])
    )
    (line,) = [line for line in exact["grid"] if line["text"] == "x=2"]
    assert {x for x, _ in line["points"]} == {200.0}


@pytest.mark.parametrize(
    ("points", "named"),
    [
        (SQUARE[:3], "expected at least 4 points, got 3"),
        ([[0, 0, 0, 0], [1, 1, 1, 1], [2, 2, 2, 2], [3, 3, 3, 3]], "determine no homography"),
        ([[1, 2, 3]], "expected four numbers for each point"),
        ([["a", 2, 3, 4]], "point 'a,2,3,4': expected four numbers"),
        ([["nan", 2, 3, 4], *SQUARE], "expected four numbers for each point"),
    ],
)
def test_points_that_fit_nothing(api: LiveApi, points: list[list[float]], named: str) -> None:
    answer = fit(api, points)
    assert answer.status_code == 400
    assert named in answer.json()["detail"]


def test_it_is_saved_and_shown(api: LiveApi, file: Path) -> None:
    before = api.http.get("/calibration/gate").json()
    assert (before["homography"], before["grid"], before["file"]) == (None, [], "site.yaml")
    body = {"points": SQUARE, "seen": before["seen"]}
    answer = api.http.put("/calibration/gate", json=body)
    assert answer.status_code == 200, answer.text
    text = file.read_text()
    assert text.startswith("# ours\n")
    assert text.endswith("} # north\n")
    assert load_config(file).cameras["gate"].view is not None
    after = api.http.get("/calibration/gate").json()
    assert after["seen"] == answer.json()["seen"] != before["seen"]
    assert after["grid"]
    assert len(api.http.get("/map").json()["cameras"]) == 1


def test_a_file_that_was_changed_meanwhile_is_left_alone(api: LiveApi, file: Path) -> None:
    seen = api.http.get("/calibration/gate").json()["seen"]
    file.write_text(SITE + "# theirs\n")
    answer = api.http.put("/calibration/gate", json={"points": SQUARE, "seen": seen})
    assert answer.status_code == 409
    assert "site.yaml was changed meanwhile" in answer.json()["detail"]
    assert file.read_text() == SITE + "# theirs\n"


def test_what_cannot_be_calibrated(api: LiveApi, file: Path) -> None:
    for path in ("/calibration/yard", "/calibration/yard/fit?point=1,2,3,4"):
        answer = api.http.get(path)
        assert (answer.status_code, "Known: gate, hall" in answer.json()["detail"]) == (404, True)
    assert "has sent no frame yet" in api.http.get("/calibration/hall").json()["detail"]
    body = {"points": SQUARE[:3], "seen": api.http.get("/calibration/gate").json()["seen"]}
    assert api.http.put("/calibration/gate", json=body).status_code == 400
    assert file.read_text() == SITE


def test_without_a_site_file_nothing_is_saved(open_api: Callable[..., LiveApi]) -> None:
    api = open_api()
    api.receive(OBSERVATIONS, camera_sent("gate", 5))
    assert api.http.get("/calibration/gate").json()["file"] is None
    answer = api.http.put("/calibration/gate", json={"points": SQUARE, "seen": ""})
    assert answer.status_code == 404
    assert "start the API with --config" in answer.json()["detail"]
