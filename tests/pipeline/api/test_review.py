"""The review in the API: pages, filters, and marks that stay."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from builders import camera, make_run
from live_api import LiveApi, RecordedApi
from pipeline.api import review
from pipeline.pictures.colours import colour_of
from pipeline.pictures.video import write_video
from pipeline.run_directory.camera_log import CameraChange, append_change

ZONES = {"till": {"camera": "gate", "points": [[30, 80], [60, 80], [60, 99], [30, 99]]}}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A run of an hour, in which person 1 to 6 walk through the till, every ten minutes one."""
    boxes = []
    for person in range(1, 7):
        first = 6000 * person
        boxes += [("gate", first + n, person, (float(n), 20.0, n + 40.0, 90.0)) for n in range(80)]
    ids = {("gate", person): person for person in range(1, 7)}
    run = make_run(tmp_path / "run", boxes, ids, cameras=[camera("gate", 36_200)])
    append_change(run, CameraChange("gate", "lost", "no route", 1500.0))
    append_change(run, CameraChange("gate", "running", "", 1600.0))
    return run


def page(api: RecordedApi, **query: object) -> dict[str, Any]:
    answer = api.http.get("/review", params=query)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def pages(api: RecordedApi, **query: object) -> list[dict[str, Any]]:
    """The events of all pages."""
    found, before = list[dict[str, Any]](), None
    while True:
        given = {} if before is None else {"before": before}
        answer = page(api, **query, **given)
        found += answer["events"]
        before = answer["next"]
        if before is None:
            return found


@pytest.mark.parametrize("limit", [1, 2, 7, 100])
def test_pages_have_every_event_once_newest_first(
    out: Path, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review, "_MOST_S", 700.0)
    api = RecordedApi(out, zones=ZONES)
    try:
        found = pages(api, limit=limit)
        assert len({event["id"] for event in found}) == len(found) == 6 * 3 + 2
        moments = [event["at"] for event in found]
        assert moments == sorted(moments, reverse=True)
        assert (found[0]["kind"], found[0]["at"], found[0]["global_id"]) == ("leave", 3604.0, 6)
    finally:
        api.close()


def test_events_of_people_have_a_picture_where_the_run_keeps_them(out: Path) -> None:
    api = RecordedApi(out, zones=ZONES, recording={"thumbnails": True})
    try:
        found = page(api, limit=100)["events"]
        assert found[0]["picture"] == "/identities/6/thumbnail.jpg?at=3604.0&camera=gate"
        without = {event["kind"] for event in found if event["picture"] is None}
        assert without == {"camera lost", "camera back"}
    finally:
        api.close()
    api = RecordedApi(out, zones=ZONES)
    try:
        assert {event["picture"] for event in page(api)["events"]} == {None}
    finally:
        api.close()


def test_an_event_has_the_frame_of_its_moment_where_the_run_keeps_videos(out: Path) -> None:
    (out / "video").mkdir()
    grey = np.full((200, 320, 3), 90, np.uint8)
    write_video(out / "video" / "gate.mp4", ((float(t), grey) for t in (0, 3604, 3620)))
    api = RecordedApi(out, zones=ZONES)
    try:
        leaves, lost = (
            page(api, kind=kind, limit=1)["events"][0] for kind in ("leave", "camera lost")
        )
        assert leaves["frame"] == "/identities/6/moment.jpg?at=3604.0&camera=gate"
        assert lost["frame"] == "/cameras/gate/moment.jpg?at=1500.0"
        answer = api.http.get(leaves["frame"])
        image = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
        assert image.shape == grey.shape
        # The foot is at 60, 90: the lower edge of the box of person 6.
        edge = image[88:93, 60].astype(int)
        assert np.abs(edge - colour_of(6)).max(axis=1).min() < 60 < np.abs(edge - 90).max()
        assert np.abs(image[150, 200].astype(int) - 90).max() < 4
        anywhere = api.http.get("/identities/6/moment.jpg?at=3604.0")
        assert anywhere.content == answer.content
        assert api.http.get("/identities/5/moment.jpg?at=3604.0").status_code == 404
        assert api.http.get(lost["frame"]).status_code == 200
        for query in ({"at": -1.0}, {"at": 1e9}):
            refused = api.http.get("/cameras/gate/moment.jpg", params=query)
            assert refused.status_code == 404
            assert "--save-video" in refused.json()["detail"]
        assert api.http.get("/cameras/..%2Fgate/moment.jpg?at=1").status_code == 404
    finally:
        api.close()


def test_filters(out: Path) -> None:
    api = RecordedApi(out, zones=ZONES)
    try:
        assert [event["kind"] for event in pages(api, kind=["camera lost", "camera back"])] == [
            "camera back",
            "camera lost",
        ]
        assert len(pages(api, kind="enter", since=601.0, until=1201.001)) == 2
        assert len(pages(api, kind="enter", since=601.0, until=1201.0)) == 1
        unknown = api.http.get("/review", params={"camera": "hall"})
        assert unknown.status_code == 404
        assert "unknown camera 'hall'" in unknown.json()["detail"]
        assert api.http.get("/review", params={"kind": "fight"}).status_code == 422
    finally:
        api.close()


def test_a_filter_is_a_part_of_everything(out: Path) -> None:
    zones = {"till": ZONES["till"] | {"dwell_s": 1.0}, "hall": ZONES["till"]}
    lines = {"door": {"camera": "gate", "points": [[45, 0], [45, 99]]}}
    api = RecordedApi(out, zones=zones, lines=lines)
    try:
        everything = pages(api)
        for kind in ("enter", "leave", "dwell", "line", "new person"):
            expected = [event for event in everything if event["kind"] == kind]
            assert pages(api, kind=kind) == expected
            assert pages(api, kind=kind, camera="gate") == expected
            assert len(expected) == {"enter": 12, "leave": 12}.get(kind, 6)
        assert pages(api, reviewed=True) == []
        api.http.post(f"/review/{everything[3]['id']}", json={"reviewed": True})
        assert [event["id"] for event in pages(api, reviewed=True)] == [everything[3]["id"]]
    finally:
        api.close()


def test_marks_stay_in_the_run_directory(out: Path) -> None:
    api = RecordedApi(out, zones=ZONES)
    try:
        first, second = page(api, limit=2)["events"]
        assert (first["reviewed"], first["by"]) == (False, None)
        answer = api.http.post(f"/review/{first['id']}", json={"reviewed": True})
        assert answer.status_code == 200
        assert answer.json()["reviewed"] is True
        api.http.post(f"/review/{second['id']}", json={"reviewed": True})
        api.http.post(f"/review/{second['id']}", json={"reviewed": False})
    finally:
        api.close()
    api = RecordedApi(out, zones=ZONES)
    try:
        (again,) = page(api, reviewed=True)["events"]
        assert (again["id"], again["by"]) == (first["id"], "local")
        assert again["reviewed_at"] > 0
        assert len(page(api, reviewed=False)["events"]) == 6 * 3 + 2 - 1
        assert api.http.post("/review/../x", json={}).status_code in (404, 405)
        assert api.http.post("/review/zz", json={}).status_code == 422
    finally:
        api.close()


def test_an_empty_run_has_nothing_to_review(tmp_path: Path) -> None:
    api = RecordedApi(make_run(tmp_path / "run", [], {}), zones=ZONES)
    try:
        assert page(api) == {"events": [], "next": None}
    finally:
        api.close()


def test_without_a_run_directory_the_message_says_so(open_api: Callable[..., LiveApi]) -> None:
    answer = open_api().http.get("/review")
    assert answer.status_code == 404
    assert "start the API with --out RUN" in answer.json()["detail"]
