"""Pictures of a person's tracks."""

from collections.abc import Callable
from pathlib import Path

import pytest

from builders import make_run
from live_api import LiveApi
from pipeline.run_directory.progress import RecorderProgress, write_progress

BOX = (0.0, 0.0, 9.0, 9.0)


@pytest.fixture
def seen(open_api: Callable[..., LiveApi], tmp_path: Path) -> LiveApi:
    """Person 5 in two cameras, person 6 in one; gate 2 has no picture, that of hall 2 is lost."""
    tracks = {("hall", 1): 5, ("gate", 1): 5, ("gate", 2): 5, ("gate", 3): 6, ("hall", 2): 6}
    rows = [(*key[:1], frame, key[1], BOX) for key in tracks for frame in range(3)]
    paths = {key: f"thumbnails/{key[0]}/{key[1]}.jpg" for key in tracks if key != ("gate", 2)}
    run = make_run(tmp_path / "run", rows, tracks, thumbnails=paths)
    for path in paths.values():
        (run / path).parent.mkdir(parents=True, exist_ok=True)
        (run / path).write_bytes(path.encode())
    (run / "thumbnails/hall/2.jpg").unlink()
    api = open_api(out=run)
    write_progress(run, RecorderProgress(api.bus.run()))
    return api


def test_a_person_has_a_picture_of_each_track_that_kept_one(seen: LiveApi) -> None:
    found = seen.http.get("/identities/5/thumbnails").json()["thumbnails"]
    assert [(one["camera_id"], one["track_id"]) for one in found] == [("gate", 1), ("hall", 1)]
    assert found[0]["url"] == "thumbnails/gate/1.jpg"
    assert found[0]["start"] <= found[0]["end"]
    answer = seen.http.get(f"/{found[0]['url']}")
    assert (answer.content, answer.headers["Content-Type"]) == (
        b"thumbnails/gate/1.jpg",
        "image/jpeg",
    )


def test_the_best_pictures_come_first_where_there_are_too_many(seen: LiveApi) -> None:
    assert len(seen.http.get("/identities/5/thumbnails?limit=1").json()["thumbnails"]) == 1


def test_an_unknown_person_and_a_site_without_a_run_have_none(
    seen: LiveApi, open_api: Callable[..., LiveApi]
) -> None:
    assert seen.http.get("/identities/99/thumbnails").json() == {"thumbnails": []}
    assert open_api().http.get("/identities/5/thumbnails").json() == {"thumbnails": []}


@pytest.mark.parametrize("name", ["gate/2", "gate/9", "lift/1", "hall/2", "..%2fgate/1"])
def test_a_track_without_a_picture_says_so(seen: LiveApi, name: str) -> None:
    answer = seen.http.get(f"/thumbnails/{name}.jpg")
    assert answer.status_code == 404
    if "%" not in name:
        assert "has no picture" in answer.json()["detail"]


def test_the_picture_of_a_moment_is_of_the_track_nearest_in_time(seen: LiveApi) -> None:
    def asked(who: int, **query: object) -> bytes | int:
        answer = seen.http.get(f"/identities/{who}/thumbnail.jpg", params=query)  # type: ignore[arg-type]
        return answer.content if answer.status_code == 200 else answer.status_code

    start = seen.http.get("/identities/5/thumbnails").json()["thumbnails"][0]["start"]
    assert asked(5, at=start, camera="hall") == b"thumbnails/hall/1.jpg"
    assert asked(5, at=start - 99, camera="gate") == b"thumbnails/gate/1.jpg"
    assert asked(5, at=start) == b"thumbnails/gate/1.jpg"
    assert asked(6, at=start, camera="hall") == 404  # it is lost
    assert asked(6, at=start, camera="gate") == b"thumbnails/gate/3.jpg"
    assert asked(6, at=start, camera="lift") == 404
    assert asked(99, at=start) == 404
    assert asked(5, at="nan") == 422
