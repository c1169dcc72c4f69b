"""A past run in the API, without Redis and without a site file."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest

from builders import camera, make_run
from live_api import RecordedApi
from pipeline.api.server import has_ended
from pipeline.pictures.video import write_video
from pipeline.run_directory.progress import RecorderProgress, write_progress

BOX = (0.0, 20.0, 40.0, 90.0)


@pytest.fixture
def open_run(tmp_path: Path) -> Iterator[Callable[..., RecordedApi]]:
    """Opens the API of a run of two people, of whom 7 walks from gate to hall at 2 s."""
    out, opened = tmp_path / "run", list[RecordedApi]()
    boxes = [
        ("gate", frame, 1, (10.0 * frame, 20.0, 10.0 * frame + 40, 90.0)) for frame in range(20)
    ]
    boxes += [("hall", frame, 3, BOX) for frame in range(20, 31)]
    boxes += [("gate", frame, 2, BOX) for frame in range(5)]
    cameras = [camera("gate", 20), camera("hall", 31)]
    make_run(out, boxes, {("gate", 1): 7, ("hall", 3): 7, ("gate", 2): 5}, cameras=cameras)

    def call(**values: object) -> RecordedApi:
        opened.append(RecordedApi(out, **values))
        return opened[-1]

    yield call
    for api in opened:
        api.close()


def get(api: RecordedApi, path: str, **query: object) -> Any:
    answer = api.http.get(path, params=query)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_now_is_the_end_of_the_run(open_run: Callable[..., RecordedApi]) -> None:
    api = open_run()
    people = get(api, "/identities")
    assert people["now"] == 3.1
    assert [(one["global_id"], one["camera_id"]) for one in people["identities"]] == [
        (5, "gate"),
        (7, "hall"),
    ]
    assert people["identities"][1]["since"] == 2.0
    assert people["identities"][1]["box"] == list(BOX)
    # Person 5 was seen last at 0.4 s: exactly at the limit, and after it.
    assert len(get(api, "/identities", last_s=2.7)["identities"]) == 2
    assert len(get(api, "/identities", last_s=2.69)["identities"]) == 1


def test_cameras_and_people_are_those_of_the_run(open_run: Callable[..., RecordedApi]) -> None:
    api = open_run()
    assert get(api, "/healthz") == {"status": "ok"}
    cameras = get(api, "/cameras")["cameras"]
    assert [(one["id"], one["state"]) for one in cameras] == [
        ("gate", "complete"),
        ("hall", "complete"),
    ]
    stays = get(api, "/identities/7")["stays"]
    assert [(one["camera_id"], one["start"], one["end"]) for one in stays] == [
        ("gate", 0.0, 1.9),
        ("hall", 2.0, 3.0),
    ]
    assert len(get(api, "/identities/7/path")["points"]) == 31
    assert api.http.get("/identities/9").status_code == 404


def test_a_run_that_was_killed_is_over(
    open_run: Callable[..., RecordedApi], tmp_path: Path
) -> None:
    record = msgspec.structs.replace(camera("gate", 20), state="running")
    (tmp_path / "run" / "cameras.json").write_bytes(msgspec.json.encode([record]))
    gate = get(open_run(), "/cameras/gate")
    assert (gate["state"], gate["reason"]) == ("partial", "the run was not ended")


def test_an_empty_run_has_nobody(tmp_path: Path) -> None:
    api = RecordedApi(make_run(tmp_path / "empty", [], {}))
    try:
        assert get(api, "/identities") == {"now": None, "identities": [], "next": None}
        assert get(api, "/cameras")["cameras"] == []
        assert get(api, "/counts") == {"now": None, "zones": [], "lines": []}
    finally:
        api.close()


def test_zones_and_lines_are_counted_at_the_end(open_run: Callable[..., RecordedApi]) -> None:
    zones = {
        "till": {"camera": "hall", "points": [[0, 80], [40, 80], [40, 99], [0, 99]]},
        "nook": {"camera": "hall", "points": [[90, 80], [140, 80], [140, 99]]},
    }
    lines = {"door": {"camera": "gate", "points": [[100, 0], [100, 200]], "to_left": "in"}}
    api = open_run(zones=zones, lines=lines)
    counts = get(api, "/counts")
    assert counts["zones"] == [
        {"zone": "till", "people": 1, "identities": [7]},
        {"zone": "nook", "people": 0, "identities": []},
    ]
    assert [(one["direction"], one["crossings"]) for one in counts["lines"]] == [
        ("right", 0),
        ("in", 1),
    ]


def test_pictures_are_those_of_kept_videos(
    open_run: Callable[..., RecordedApi], tmp_path: Path
) -> None:
    api = open_run()
    missing = api.http.get("/cameras/gate/snapshot.jpg")
    assert missing.status_code == 404
    assert "has no video of it. Expected a run with videos" in missing.json()["detail"]
    (tmp_path / "run" / "video").mkdir()
    images = [np.full((48, 64, 3), 10 * number, np.uint8) for number in range(20)]
    write_video(tmp_path / "run" / "video" / "gate.mp4", iter(enumerate(images)))
    answer = api.http.get("/cameras/gate/snapshot.jpg")
    assert answer.headers["X-Timestamp"] == "19.0"
    image = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    assert abs(float(image.mean()) - 190) < 5
    with api.http.stream("GET", "/cameras/gate/preview.mjpeg") as preview:
        assert preview.read().count(b"--picture") == 1


def test_a_damaged_video_is_named(open_run: Callable[..., RecordedApi], tmp_path: Path) -> None:
    (tmp_path / "run" / "video").mkdir()
    (tmp_path / "run" / "video" / "gate.mp4").write_bytes(b"no video")
    answer = open_run().http.get("/cameras/gate/snapshot.jpg")
    assert answer.status_code == 503
    assert "gate.mp4 is damaged" in answer.json()["detail"]


def test_a_run_is_over_when_it_was_ended_or_its_redis_is_gone(
    tmp_path: Path, redis_url: str
) -> None:
    out = make_run(tmp_path / "run", [], {})
    assert has_ended(out)
    write_progress(out, RecorderProgress("run", site="shop", redis="redis://127.0.0.1:1/0"))
    assert has_ended(out)
    write_progress(out, RecorderProgress("run", site="another-site", redis=redis_url))
    assert has_ended(out)
    write_progress(out, RecorderProgress("run", finished=True, redis=redis_url))
    assert has_ended(out)
