"""The map in the API: plan, fields of view, zones, trails and heat, live and of a past run."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest

from builders import camera, camera_sent, identity_sent, make_run, observations_sent
from live_api import LiveApi, RecordedApi
from pipeline.api.plan import read_plan
from pipeline.bus.keys import IDENTITIES, OBSERVATIONS
from pipeline.bus.messages import ObservationsMessage, pack
from pipeline.config.load import check_config
from pipeline.config.schema import PlanConfig
from pipeline.errors import UserError

# Looks straight down: a hundred pixels are a metre, and the picture is 6.4 by 4.8 m.
DOWN = [[100.0, 0.0, 0.0], [0.0, 100.0, 0.0], [0.0, 0.0, 1.0]]
CAMERAS = {"gate": {"source": "a.mp4", "calibration": {"homography": DOWN}}}
POINTS = [
    {"picture": (0, 0), "ground": (0, 3)},
    {"picture": (30, 0), "ground": (3, 3)},
    {"picture": (0, 30), "ground": (0, 0)},
]


def plan_of(path: Path) -> PlanConfig:
    """The configuration of a plan of 30 x 40 pixels at ``path``, a metre for ten pixels."""
    cv2.imwrite(str(path), np.full((40, 30, 3), 200, np.uint8))
    return PlanConfig.model_validate({"picture": str(path), "points": POINTS})


@pytest.fixture
def open_run(tmp_path: Path) -> Iterator[Callable[..., RecordedApi]]:
    """Opens the API of a run in which person 7 walks from x = 0 to 2.9 m in 3 s, at y = 0.9 m."""
    opened: list[RecordedApi] = []
    boxes = [("gate", n, 1, (10.0 * n, 20.0, 10.0 * n + 40, 90.0)) for n in range(30)]
    out = make_run(
        tmp_path / "run", boxes, {("gate", 1): 7}, cameras=[camera("gate", 30)], ground=True
    )

    def call(**values: object) -> RecordedApi:
        opened.append(RecordedApi(out, **values))  # type: ignore[arg-type]
        return opened[-1]

    yield call
    for api in opened:
        api.close()


def get(api: RecordedApi | LiveApi, path: str, **query: object) -> Any:
    answer = api.http.get(path, params=query)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_field_is_clipped_to_the_plan(
    open_run: Callable[..., RecordedApi], tmp_path: Path
) -> None:
    plan = read_plan(plan_of(tmp_path / "floor.png"))
    api = open_run(cameras=CAMERAS, plan=plan)
    found = get(api, "/map")
    assert found["plan"]["width"] == 30
    assert found["plan"]["height"] == 40
    assert found["bounds"] == pytest.approx({"left": 0, "low": -1, "right": 3, "high": 3})
    (gate,) = found["cameras"]
    corners = sorted((round(x, 6), round(y, 6)) for x, y in gate["field"])
    assert corners == [(0, 0), (0, 3), (3, 0), (3, 3)]
    assert gate["eye"] is None
    picture = api.http.get("/plan")
    assert picture.content == (tmp_path / "floor.png").read_bytes()
    assert picture.headers["content-type"] == "image/png"


def test_without_a_plan_the_map_is_around_the_cameras(open_run: Callable[..., RecordedApi]) -> None:
    zones = {
        "till": {"points": [[0, 0], [1, 0], [1, 1]]},
        "nook": {"camera": "gate", "points": [[100, 100], [200, 100], [200, 200]]},
        "dark": {"camera": "hall", "points": [[100, 100], [200, 100], [200, 200]]},
    }
    cameras = {**CAMERAS, "hall": {"source": "b.mp4"}}
    api = open_run(cameras=cameras, zones=zones, lines={"door": {"points": [[0, 0], [50, 0]]}})
    found = get(api, "/map")
    assert found["plan"] is None
    # People were on 0.2 to 2.7 by 0.9 m; there is a metre around what is shown.
    assert list(found["bounds"].values()) == pytest.approx([-1, -1, 51, 2])
    assert [(one["name"], one["camera"]) for one in found["zones"]] == [
        ("till", None),
        ("nook", "gate"),
    ]
    assert np.allclose(found["zones"][1]["points"], [[1, 1], [2, 1], [2, 2]])
    assert found["lines"] == [{"name": "door", "camera": None, "points": [[0, 0], [50, 0]]}]
    assert api.http.get("/plan").status_code == 404


def test_a_site_without_calibration_has_no_map(api: LiveApi) -> None:
    found = get(api, "/map")
    assert (found["bounds"], found["cameras"]) == (None, [])


def test_the_map_fits_where_people_were(
    open_run: Callable[..., RecordedApi], open_api: Callable[..., LiveApi]
) -> None:
    bounds = get(open_run(cameras=CAMERAS), "/map")["bounds"]
    assert list(bounds.values()) == pytest.approx([-0.8, -0.1, 3.7, 1.9])
    # Before anybody came it is what the camera sees.
    api = open_api()
    api.receive(OBSERVATIONS, camera_sent("gate", 1))
    api.site.config = check_config({"cameras": CAMERAS}, "the test")
    assert list(get(api, "/map")["bounds"].values()) == pytest.approx([-1, -1, 7.4, 5.8])


def test_trails_of_a_past_run(open_run: Callable[..., RecordedApi]) -> None:
    api = open_run()
    (person,) = get(api, "/map/trails")["people"]
    assert person["global_id"] == 7
    # Six means of five positions, a tenth of a metre apart.
    moments, x, y = zip(*person["points"], strict=True)
    assert moments == pytest.approx([0.25, 0.75, 1.25, 1.75, 2.25, 2.75])
    assert x == pytest.approx([0.2, 0.7, 1.2, 1.7, 2.2, 2.7])
    assert y == pytest.approx([0.9] * 6)
    (person,) = get(api, "/map/trails", until=1.9, last_s=0.4)["people"]
    assert [point[1] for point in person["points"]] == pytest.approx([1.7])
    assert len(get(api, "/map/trails", global_id=7)["people"]) == 1
    assert get(api, "/map/trails", global_id=8)["people"] == []
    assert get(api, "/map/trails", until=-5)["people"] == []


def test_heat_is_the_time_in_each_cell(open_run: Callable[..., RecordedApi]) -> None:
    api = open_run()
    heat = get(api, "/map/heat", cell_m=1.0)
    assert (heat["left"], heat["low"]) == (0.0, 0.0)
    assert heat["seconds"] == [[1.0, 1.0, 1.0]]
    assert get(api, "/map/heat", since=100, until=200)["seconds"] == []
    assert get(api, "/map/heat", since=5, until=4)["seconds"] == []


def test_live_trails_come_from_memory(api: LiveApi) -> None:
    assert get(api, "/map/trails") == {"until": None, "people": []}
    sent = observations_sent("gate", range(10), 1)
    ground = np.column_stack([np.arange(10.0), np.zeros(10)])
    fields = {**msgspec.structs.asdict(sent), "ground": pack(ground)}
    api.receive(OBSERVATIONS, ObservationsMessage(**fields))
    assert get(api, "/map/trails")["people"] == []
    api.receive(IDENTITIES, identity_sent("gate", 1, 3, 1.0))
    (person,) = get(api, "/map/trails")["people"]
    assert person == {"global_id": 3, "points": [[0.25, 2.0, 0.0], [0.75, 7.0, 0.0]]}


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("floor.png", None, "cannot read plan.picture .*floor.png: No such file"),
        ("floor.png", b"", "floor.png is no picture, or a damaged one"),
        ("floor.png", b"text", "floor.png is no picture, or a damaged one"),
        ("floor.pdf", b"text", "floor.pdf: expected a picture, .png, .jpg"),
    ],
)
def test_a_plan_that_cannot_be_read(
    tmp_path: Path, name: str, content: bytes | None, named: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    values = {"picture": str(tmp_path / name), "points": POINTS}
    with pytest.raises(UserError, match=named):
        read_plan(PlanConfig.model_validate(values))
