"""Events: the last of them are kept, and who listens gets them at its own pace."""

import json
from collections.abc import Callable

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from builders import camera_sent, identity_sent
from live_api import LiveApi
from pipeline.api.events import Events
from pipeline.bus.keys import IDENTITIES, OBSERVATIONS
from pipeline.bus.messages import EndMessage


def told(count: int, most: int) -> Events:
    events = Events(most)
    for number in range(1, count + 1):
        events.add({"number": number})
    return events


def numbers(found: list[dict[str, object]]) -> list[object]:
    return [event["number"] for event in found]


def test_before_the_first_event_there_is_none() -> None:
    assert told(0, 3).after(0, 10) == ([], 0)


def test_events_come_in_order_and_at_most_so_many() -> None:
    events = told(5, 10)
    assert numbers(events.after(0, 2)[0]) == [1, 2]
    assert numbers(events.after(2, 10)[0]) == [3, 4, 5]
    assert events.after(5, 10) == ([], 0)


def test_who_is_too_slow_is_told_how_many_are_lost() -> None:
    events = told(10, 3)
    found, missed = events.after(4, 10)
    assert (numbers(found), missed) == ([8, 9, 10], 3)
    assert events.after(7, 10)[1] == 0


def test_an_id_is_a_position_of_this_log_only() -> None:
    events = told(3, 3)
    ids = [str(event["id"]) for event in events.after(0, 3)[0]]
    assert [events.position(one) for one in ids] == [1, 2, 3]
    beyond = ids[0][:-1] + "4"
    for other in (str(told(3, 3).after(0, 1)[0][0]["id"]), beyond, "", "x", "9" * 99):
        assert events.position(other) is None


def receive(listener: ClientConnection) -> dict[str, object]:
    """The next event."""
    return dict(json.loads(listener.recv(timeout=600)))


@pytest.fixture
def heard(api: LiveApi) -> LiveApi:
    """An API that has told of its two cameras and one identity."""
    api.receive(IDENTITIES, identity_sent("gate", 1, 1, 1.0))
    return api


def test_a_listener_gets_what_happens_from_now_on(heard: LiveApi) -> None:
    with heard.events() as listener:
        # Behind its first answer it has its place.
        assert listener.ping().wait(20)
        heard.receive(IDENTITIES, identity_sent("hall", 2, 9, 3.0))
        event = receive(listener)
        assert event.pop("id")
        expected = {
            "type": "identity",
            "camera_id": "hall",
            "track_id": 2,
            "global_id": 9,
            "confidence": 0.75,
            "kind": "assigned",
            "reason": "new person",
            "at": 3.0,
            "since": None,
        }
        assert event.items() >= expected.items()
        heard.receive(OBSERVATIONS, camera_sent("gate", 3))
        event = receive(listener)
        assert (event["type"], event["camera_id"]) == ("camera", "gate")
        assert (event["state"], event["reason"]) == ("running", "")
        # A state that lasts is told once.
        heard.receive(OBSERVATIONS, camera_sent("gate", 4))
        heard.receive(IDENTITIES, EndMessage(4.0))
        assert receive(listener)["type"] == "end"


def test_a_listener_goes_on_where_it_was(heard: LiveApi) -> None:
    with heard.events() as listener:
        assert listener.ping().wait(20)
        heard.receive(IDENTITIES, identity_sent("hall", 2, 2, 2.0))
        last = receive(listener)
    heard.receive(IDENTITIES, identity_sent("hall", 3, 3, 3.0), identity_sent("hall", 4, 4, 4.0))
    with heard.events(f"?after={last['id']}") as listener:
        assert [receive(listener)["global_id"] for _ in range(2)] == [3, 4]


def test_a_listener_of_another_process_is_told_that_it_missed_something(heard: LiveApi) -> None:
    with heard.events("?after=another-3") as listener:
        assert receive(listener) == {"type": "missed"}
        assert [receive(listener)["type"] for _ in range(3)] == ["identity", "camera", "camera"]


def test_a_listener_that_reads_nothing_holds_up_nobody(api: LiveApi) -> None:
    api.site.events = Events(most=5)
    with api.events() as slow:
        assert slow.ping().wait(20)
        # More than the buffers of the two ends hold.
        for _ in range(300):
            api.site.events.add({"type": "camera", "reason": "x" * 100_000})
        assert api.http.get("/healthz").json() == {"status": "ok"}
        kinds = []
        while kinds[-1:] != ["missed"]:
            kinds.append(receive(slow)["type"])
        assert len(kinds) < 300
        # From there on it goes on with what is kept.
        assert [receive(slow)["type"] for _ in range(5)] == ["camera"] * 5


def test_a_listener_hears_the_end_of_the_process(open_api: Callable[..., LiveApi]) -> None:
    api = open_api()
    with api.events() as listener:
        assert listener.ping().wait(20)
        api.close()
        with pytest.raises(ConnectionClosed):
            listener.recv(timeout=600)
