"""Paths of people: from memory, from the run directory, and from both."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from builders import Observation, camera, identity_sent, make_run, observations_sent
from live_api import LiveApi
from pipeline.bus.keys import IDENTITIES, OBSERVATIONS
from pipeline.bus.messages import pack
from pipeline.run_directory.progress import RecorderProgress, write_progress
from pipeline.run_directory.reader import RunDirectory


def path(api: LiveApi, global_id: int, **query: object) -> dict[str, object]:
    """The path of a person."""
    answer = api.http.get(f"/identities/{global_id}/path", params=query)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def moments(answer: dict[str, object]) -> list[tuple[float, str]]:
    points = answer["points"]
    assert isinstance(points, list)
    return [(point["timestamp"], point["camera_id"]) for point in points]


def box(left: float) -> tuple[float, float, float, float]:
    return left, 10.0, left + 40.0, 90.0


def recorded(api_of: Callable[..., LiveApi], folder: Path, rows: list[Observation]) -> LiveApi:
    """An API with a run of these observations, in which track 1 of each camera is person 5."""
    global_ids = {(row[0], row[2]): 5 for row in rows if row[2] == 1}
    run = make_run(folder, rows, global_ids, ground=True)
    api = api_of(out=run)
    write_progress(run, RecorderProgress(api.bus.run()))
    api.follower.step()
    return api


def test_a_path_leads_over_all_cameras_in_order_of_time(api: LiveApi) -> None:
    api.receive(OBSERVATIONS, observations_sent("hall", range(3, 6), 2))
    api.receive(OBSERVATIONS, observations_sent("gate", range(4), 1))
    api.receive(OBSERVATIONS, observations_sent("gate", range(4), 9))
    api.receive(IDENTITIES, identity_sent("gate", 1, 7, 1.0), identity_sent("hall", 2, 7, 1.0))
    answer = path(api, 7)
    expected = [(0.0, "gate"), (0.1, "gate"), (0.2, "gate"), (0.3, "gate"), (0.3, "hall")]
    assert moments(answer) == [*expected, (0.4, "hall"), (0.5, "hall")]
    assert answer["next"] is None
    assert answer["points"][0] == {  # type: ignore[index]
        "timestamp": 0.0,
        "camera_id": "gate",
        "frame_index": 0,
        "track_id": 1,
        "confidence": 0.75,
        "box": [0.0, 20.0, 40.0, 90.0],
        "ground": None,
    }


def test_an_identity_has_its_stays(api: LiveApi) -> None:
    api.receive(OBSERVATIONS, observations_sent("hall", range(3, 6), 2))
    api.receive(OBSERVATIONS, observations_sent("gate", range(4), 1))
    api.receive(IDENTITIES, identity_sent("gate", 1, 7, 1.0), identity_sent("hall", 2, 7, 1.0))
    answer = api.http.get("/identities/7").json()
    assert (answer["first_seen"], answer["last_seen"]) == (0.0, 0.5)
    assert [(stay["camera_id"], stay["start"], stay["end"]) for stay in answer["stays"]] == [
        ("gate", 0.0, 0.3),
        ("hall", 0.3, 0.5),
    ]


def test_ground_points_are_given_where_known(api: LiveApi) -> None:
    ground = np.array([[1.0, 2.0], [np.nan, np.nan]])
    api.receive(OBSERVATIONS, replace(observations_sent("gate", [0, 1], 1), ground=pack(ground)))
    api.receive(IDENTITIES, identity_sent("gate", 1, 1, 1.0))
    points = path(api, 1)["points"]
    assert [point["ground"] for point in points] == [[1.0, 2.0], None]  # type: ignore[attr-defined]


def test_a_track_of_two_people_is_split_at_the_right_time(api: LiveApi) -> None:
    api.receive(OBSERVATIONS, observations_sent("gate", range(10), 1))
    second = replace(identity_sent("gate", 1, 2, 1.0), since=0.5)
    api.receive(IDENTITIES, identity_sent("gate", 1, 1, 1.0), second)
    assert [moment for moment, _ in moments(path(api, 1))] == [0.0, 0.1, 0.2, 0.3, 0.4]
    assert [moment for moment, _ in moments(path(api, 2))] == [0.5, 0.6, 0.7, 0.8, 0.9]


def test_since_and_until_are_inclusive(api: LiveApi) -> None:
    api.receive(OBSERVATIONS, observations_sent("gate", range(10), 1))
    api.receive(IDENTITIES, identity_sent("gate", 1, 1, 1.0))
    found = moments(path(api, 1, since=0.2, until=0.4))
    assert [moment for moment, _ in found] == [0.2, 0.3, 0.4]
    assert moments(path(api, 1, since=5.0)) == []


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 1000])
def test_pages_have_every_point_once(
    open_api: Callable[..., LiveApi], tmp_path: Path, limit: int
) -> None:
    rows = [(name, frame, 1, box(frame)) for name in ("gate", "hall") for frame in range(12)]
    api = recorded(open_api, tmp_path / "run", rows)
    # The last frames of the run directory are in memory too, and some that are not written yet.
    api.receive(OBSERVATIONS, observations_sent("gate", range(8, 15), 1))
    whole = [(frame / 10, name) for frame in range(12) for name in ("gate", "hall")]
    whole += [(frame / 10, "gate") for frame in range(12, 15)]
    seen: list[tuple[float, str]] = []
    since: object = 0.0
    while since is not None:
        page = path(api, 5, since=since, limit=limit)
        assert len(moments(page)) <= limit + 1  # Points of both cameras with equal timestamps.
        seen += moments(page)
        since = page["next"]
    assert seen == whole


def test_a_path_agrees_with_the_reader_of_the_run_directory(
    open_api: Callable[..., LiveApi], tmp_path: Path
) -> None:
    rows = [
        (name, frame, track, box(10 * track))
        for name in ("gate", "hall")
        for frame in range(5)
        for track in (1, 2)
    ]
    api = recorded(open_api, tmp_path / "run", rows)
    expected = RunDirectory(tmp_path / "run").trajectories().filter(global_id=5)
    columns = ("timestamp", "camera_id")
    assert moments(path(api, 5)) == expected.sort(columns).select(columns).rows()
    points = path(api, 5)["points"]
    assert points[0]["ground"] == pytest.approx([0.1, 0.9])  # type: ignore[index]


def test_a_person_forgotten_on_disk_is_unknown(
    open_api: Callable[..., LiveApi], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    rows = [("gate", 0, 1, box(0)), ("gate", 9000, 2, box(0))]
    make_run(run, rows, {("gate", 1): 5, ("gate", 2): 6}, cameras=[camera("gate", 9000)])
    api = open_api(out=run)
    write_progress(run, RecorderProgress(api.bus.run()))
    api.follower.step()
    assert len(moments(path(api, 5))) == 1
    for part in (*run.glob("*/part-*.parquet"), *run.glob("observations/*/part-*.parquet")):
        part.unlink()
    make_run(run, rows[1:], {("gate", 2): 6}, cameras=[camera("gate", 9000)])
    assert api.http.get("/identities/5").status_code == 404
    assert len(moments(path(api, 6))) == 1


def test_a_damaged_segment_is_named_and_the_api_keeps_running(
    open_api: Callable[..., LiveApi], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    api = recorded(open_api, run, [("gate", 0, 1, box(0))])
    (run / "identities" / "part-00001.parquet").write_bytes(b"broken")
    answer = api.http.get("/identities/5")
    assert answer.status_code == 503
    assert "part-00001.parquet is damaged" in answer.json()["detail"]
    assert api.http.get("/cameras").status_code == 200
