"""Cameras and people in the API, from messages on a real Redis."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from builders import camera, camera_sent, identity_sent, make_run, observations_sent
from buses import broken, send, send_raw
from live_api import LiveApi
from pipeline.api.camera_states import SILENT_S
from pipeline.api.recent_people import RecentPeople
from pipeline.bus import backpressure
from pipeline.bus.keys import IDENTITIES, OBSERVATIONS, RECORDER
from pipeline.bus.messages import CameraMessage, EndMessage, ForgetMessage, encode, pack
from pipeline.run_directory.progress import RecorderProgress, write_progress


def live(camera_id: str, detail: str = "", **fields: object) -> CameraMessage:
    """A state message of a live camera."""
    values = {"state": "running", "detail": detail, "timestamp_origin": "rtcp", **fields}
    return CameraMessage(msgspec.structs.replace(camera(camera_id), **values))


def cameras(api: LiveApi) -> dict[str, dict[str, object]]:
    """The cameras in the API, by name."""
    answer = api.http.get("/cameras").json()
    assert answer["site"] == api.bus.site
    found = {one["id"]: one for one in answer["cameras"]}
    assert list(found) == sorted(found)
    return found


def people(api: LiveApi, **query: object) -> dict[str, object]:
    """The people in the API."""
    answer = api.http.get("/identities", params=query)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def ids(answer: dict[str, object]) -> list[int]:
    return [person["global_id"] for person in answer["identities"]]  # type: ignore[attr-defined]


def test_a_camera_without_messages_is_waiting_and_shows_no_password(api: LiveApi) -> None:
    gate = cameras(api)["gate"]
    assert (gate["state"], gate["frames"], gate["since"]) == ("waiting", 0, None)
    assert gate["source"] == "rtsp://10.0.0.7/1"
    assert "pass-word" not in api.http.get("/cameras").text


def test_a_camera_is_returned_as_reported_by_its_node(api: LiveApi) -> None:
    api.receive(OBSERVATIONS, live("gate", dropped=3, frames=20))
    gate = cameras(api)["gate"]
    assert (gate["state"], gate["reason"]) == ("running", "")
    assert (gate["frames"], gate["dropped"], gate["fps"]) == (20, 3, 10.0)
    assert (gate["width"], gate["height"], gate["clock"]) == (640, 480, "rtcp")
    assert isinstance(gate["since"], float)
    assert api.http.get("/cameras/gate").json() == gate


@pytest.mark.parametrize(
    ("detail", "state", "reason"),
    [
        ("lost: the password is wrong (401)", "lost", "the password is wrong (401)"),
        ("stalled: connected, but sends no frame", "stalled", "connected, but sends no frame"),
        ("connecting", "connecting", ""),
    ],
)
def test_a_live_camera_has_the_state_of_its_connection(
    api: LiveApi, detail: str, state: str, reason: str
) -> None:
    api.receive(OBSERVATIONS, live("gate", detail))
    gate = cameras(api)["gate"]
    assert (gate["state"], gate["reason"]) == (state, reason)


def test_an_overloaded_camera_says_so(api: LiveApi) -> None:
    waiting = cameras(api)["gate"]
    assert (waiting["overloaded"], waiting["followed_fps"]) == (False, None)
    api.receive(OBSERVATIONS, live("gate", followed_fps=0.9, delay_s=1.5, overloaded=True))
    gate = cameras(api)["gate"]
    assert (gate["state"], gate["fps"], gate["followed_fps"]) == ("running", 10.0, 0.9)
    assert (gate["delay_s"], gate["overloaded"]) == (1.5, True)
    assert gate["reason"] == "overloaded: its node leaves out most of its frames"
    reasons = [event["reason"] for event in api.site.events.after(0, 10)[0]]
    assert gate["reason"] in reasons


def test_a_camera_keeps_since_while_its_state_lasts(api: LiveApi) -> None:
    api.receive(OBSERVATIONS, live("gate", frames=1))
    since = cameras(api)["gate"]["since"]
    api.receive(OBSERVATIONS, live("gate", frames=2))
    assert cameras(api)["gate"]["since"] == since


def test_an_unconfigured_camera_is_listed_after_its_first_message(api: LiveApi) -> None:
    api.receive(OBSERVATIONS, camera_sent("added", 3))
    assert list(cameras(api)) == ["added", "gate", "hall"]


def test_a_camera_is_silent_exactly_at_the_time_limit(api: LiveApi) -> None:
    api.receive(OBSERVATIONS, live("gate"), camera_sent("hall", 10, "complete"))
    api.monotonic.now += SILENT_S - 0.01
    assert cameras(api)["gate"]["state"] == "running"
    api.monotonic.now += 0.01
    assert cameras(api)["gate"]["state"] == "silent"
    # An ended camera is never silent.
    assert cameras(api)["hall"]["state"] == "complete"


def test_without_messages_there_are_no_people(api: LiveApi) -> None:
    assert people(api) == {"now": None, "identities": [], "next": None}


def test_a_person_is_at_their_last_position(api: LiveApi) -> None:
    api.receive(OBSERVATIONS, observations_sent("gate", range(10), 4))
    api.receive(OBSERVATIONS, observations_sent("hall", range(30, 41), 2))
    assert ids(people(api)) == []  # The tracks have no identities yet.
    api.receive(IDENTITIES, identity_sent("gate", 4, 7, 1.0), identity_sent("hall", 2, 7, 4.0))
    answer = people(api)
    assert answer["now"] == 4.0
    assert answer["identities"] == [
        {
            "global_id": 7,
            "camera_id": "hall",
            "track_id": 2,
            "confidence": 0.75,
            "since": 3.0,
            "last_seen": 4.0,
            "box": [40.0, 20.0, 80.0, 90.0],
            "ground": None,
            "name": None,
        }
    ]


def test_the_time_window_is_inclusive(api: LiveApi) -> None:
    api.receive(OBSERVATIONS, observations_sent("gate", range(11), 1))
    api.receive(IDENTITIES, identity_sent("gate", 1, 1, 1.0))
    api.receive(OBSERVATIONS, observations_sent("hall", [50], 9))
    assert ids(people(api, last_s=4.0)) == [1]
    assert ids(people(api, last_s=3.99)) == []


def test_for_live_cameras_now_is_the_time_of_day(api: LiveApi) -> None:
    api.receive(OBSERVATIONS, live("gate"), observations_sent("gate", range(11), 1))
    api.receive(IDENTITIES, identity_sent("gate", 1, 1, 1.0))
    api.clock.now = 12.0
    assert people(api, last_s=10.0)["now"] == 12.0
    assert ids(people(api, last_s=10.0)) == []
    assert ids(people(api, last_s=11.0)) == [1]


def test_pages_of_people_list_each_person_once(api: LiveApi) -> None:
    for track in range(1, 6):
        api.receive(OBSERVATIONS, observations_sent("gate", range(5), track))
    api.receive(IDENTITIES, *(identity_sent("gate", track, track, 1.0) for track in range(1, 6)))
    seen: list[int] = []
    after: object = 0
    while after is not None:
        page = people(api, limit=2, after=after)
        seen += ids(page)
        after = page["next"]
    assert seen == [1, 2, 3, 4, 5]
    assert people(api, limit=5)["next"] is None


def test_a_merged_person_has_the_new_id_only(api: LiveApi) -> None:
    api.receive(OBSERVATIONS, observations_sent("gate", range(5), 1))
    api.receive(IDENTITIES, identity_sent("gate", 1, 8, 1.0))
    api.receive(IDENTITIES, identity_sent("gate", 1, 3, 1.0))
    assert ids(people(api)) == [3]
    assert api.http.get("/identities/8").status_code == 404


def test_memory_is_bounded_in_time(open_api: Callable[..., LiveApi]) -> None:
    api = open_api(gallery_s=5.0)
    api.receive(OBSERVATIONS, observations_sent("gate", range(11), 1))
    api.receive(IDENTITIES, identity_sent("gate", 1, 1, 1.0))
    api.receive(OBSERVATIONS, observations_sent("hall", [60], 2))
    assert ids(people(api, last_s=60)) == [1]
    api.receive(OBSERVATIONS, observations_sent("hall", [61], 2))
    assert ids(people(api, last_s=60)) == []
    memory = api.site.recent_rows()
    assert memory.parts.is_empty()
    assert [rows["track_id"].to_list() for rows in memory.rows] == [[2], [2]]


def test_a_forgotten_person_is_removed_from_memory_and_events(api: LiveApi) -> None:
    api.receive(OBSERVATIONS, observations_sent("gate", range(5), 1))
    api.receive(OBSERVATIONS, observations_sent("gate", range(5), 2))
    api.receive(IDENTITIES, identity_sent("gate", 1, 1, 1.0), identity_sent("gate", 2, 2, 1.0))
    assert ids(people(api)) == [1, 2]
    api.receive(IDENTITIES, ForgetMessage(1, 1.0, []))
    assert ids(people(api)) == [2]
    assert api.http.get("/identities/1").status_code == 404
    memory = api.site.recent_rows()
    assert [rows["track_id"].unique().to_list() for rows in memory.rows] == [[2]]
    events = api.site.events.after(0, 100)[0]
    assert [event["type"] for event in events if event.get("global_id") == 1] == ["forget"]
    assert len({event["id"] for event in events}) == len(events)


def test_a_new_run_of_the_site_starts_empty(api: LiveApi) -> None:
    api.receive(OBSERVATIONS, observations_sent("gate", range(5), 1))
    api.receive(IDENTITIES, identity_sent("gate", 1, 1, 1.0), EndMessage(1.0))
    api.bus.delete_site()
    api.follower.step()
    assert ids(people(api)) == [1]  # Ended, but still in memory.
    api.bus.declare()
    api.follower.step()
    assert people(api)["identities"] == []
    assert cameras(api)["gate"]["state"] == "waiting"


def test_the_past_comes_from_the_run_directory(
    open_api: Callable[..., LiveApi], tmp_path: Path
) -> None:
    boxes = [("gate", frame, 1, (0.0, 0.0, 9.0, 9.0)) for frame in range(10)]
    run = make_run(tmp_path / "run", boxes, {("gate", 1): 5})
    api = open_api(out=run)
    write_progress(run, RecorderProgress(api.bus.run()))
    api.follower.step()
    assert cameras(api)["gate"]["state"] == "complete"
    assert ids(people(api)) == [5]


def test_the_run_directory_of_another_run_is_ignored(
    open_api: Callable[..., LiveApi], tmp_path: Path
) -> None:
    boxes = [("gate", 0, 1, (0.0, 0.0, 9.0, 9.0))]
    run = make_run(tmp_path / "run", boxes, {("gate", 1): 5})
    write_progress(run, RecorderProgress("another"))
    api = open_api(out=run)
    api.follower.step()
    assert people(api)["identities"] == []
    assert api.http.get("/identities/5").status_code == 404


def test_missed_messages_are_read_from_the_run_directory(
    open_api: Callable[..., LiveApi], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    api = open_api(out=run)
    api.receive(OBSERVATIONS, observations_sent("gate", range(5), 1))
    api.receive(IDENTITIES, identity_sent("gate", 1, 1, 0.4))
    before = api.site.events.count
    # Before the API reads on, the recorder writes the next messages and the streams are trimmed.
    boxes = [("gate", frame, 2, (0.0, 0.0, 9.0, 9.0)) for frame in range(5, 10)]
    make_run(run, boxes, {("gate", 2): 6}, cameras=[camera("gate", 9)])
    write_progress(run, RecorderProgress(api.bus.run()))
    send_unread(api)
    api.follower.step()  # The gap is noticed.
    api.follower.step()
    assert ids(people(api)) == [6, 7]
    events = api.site.events.after(before, 100)[0]
    assert [event["type"] for event in events if event["type"] == "missed"] == ["missed"]
    assert [event["global_id"] for event in events if event["type"] == "identity"] == [7]


def send_unread(api: LiveApi) -> None:
    """An identity that is trimmed before it is read, and one that is not."""
    send(api.bus, IDENTITIES, [identity_sent("gate", 2, 6, 1.0)])
    api.bus.commit(RECORDER, api.bus.read(RECORDER, "1", [IDENTITIES], 0.01))
    backpressure.trim(api.bus)
    send(api.bus, OBSERVATIONS, [observations_sent("gate", range(10, 12), 3)])
    send(api.bus, IDENTITIES, [identity_sent("gate", 3, 7, 1.2)])


def test_it_reads_without_a_group_and_delays_nothing(api: LiveApi) -> None:
    api.receive(OBSERVATIONS, observations_sent("gate", range(5), 1))
    assert api.bus.lengths()[OBSERVATIONS] == 1
    api.bus.commit(RECORDER, api.bus.read(RECORDER, "1", [OBSERVATIONS], 0.01))
    backpressure.trim(api.bus)
    assert api.bus.lengths()[OBSERVATIONS] == 0


def test_what_cannot_be_read_is_passed_over(api: LiveApi) -> None:
    """A number of 5,000 digits, one that nobody has reached, a float track id, no rows, nothing."""
    seen = observations_sent("gate", [1], 1)
    floats = msgspec.msgpack.decode(msgspec.msgpack.encode(pack(np.array([1.5]))))
    send_raw(api.bus, OBSERVATIONS, encode(seen), "gate", "9" * 5000)
    send_raw(api.bus, OBSERVATIONS, broken(seen, track_id=floats), "odd", 1)
    send_raw(api.bus, OBSERVATIONS, b"", "empty", 1)
    api.receive(OBSERVATIONS, observations_sent("gate", [], 1), seen)
    send_raw(api.bus, OBSERVATIONS, encode(seen), "gate", 10**17)
    api.receive(IDENTITIES, identity_sent("gate", 1, 7, 0.1))
    api.follower.step()
    assert ids(people(api)) == [7]
    assert api.site.events.after(0, 10)[0][-1]["type"] == "identity"


def test_what_cannot_be_used_is_passed_over_once(
    api: LiveApi, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*arguments: object) -> None:
        raise OverflowError("no number of 64 bits")

    api.receive(OBSERVATIONS, observations_sent("gate", [1], 1))
    with monkeypatch.context() as patched:
        patched.setattr(RecentPeople, "add_observations", broken)
        api.receive(OBSERVATIONS, observations_sent("gate", [2], 1))
    api.receive(OBSERVATIONS, observations_sent("gate", [3], 1))
    api.receive(IDENTITIES, identity_sent("gate", 1, 7, 0.1))
    assert ids(people(api)) == [7]
    assert "a message of gate: no number of 64 bits" in caplog.text
    assert [event["type"] for event in api.site.events.after(0, 10)[0]].count("missed") == 0


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/cameras/nowhere", "unknown camera 'nowhere'. Known: gate, hall"),
        ("/cameras/nowhere/snapshot.jpg", "unknown camera 'nowhere'. Known: gate, hall"),
        ("/cameras/nowhere/preview.mjpeg", "unknown camera 'nowhere'. Known: gate, hall"),
        ("/identities/9", "unknown identity 9"),
        ("/identities/9/path", "unknown identity 9"),
    ],
)
def test_unknown_cameras_and_identities_are_named(api: LiveApi, path: str, named: str) -> None:
    answer = api.http.get(path)
    assert answer.status_code == 404
    assert named in answer.json()["detail"]
