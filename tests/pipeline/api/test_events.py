"""Events: the latest are kept, and each client reads them at its own pace."""

import json
from collections.abc import Callable

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from builders import camera_sent, identity_sent
from live_api import LiveApi
from pipeline.api.events import Events
from pipeline.bus.keys import IDENTITIES, OBSERVATIONS
from pipeline.bus.messages import CorrectionMessage, EndMessage, ForgetMessage
from trackers.association.corrections import Correction


def events_with(count: int, most: int) -> Events:
    events = Events(most)
    for number in range(1, count + 1):
        events.add({"number": number})
    return events


def numbers(found: list[dict[str, object]]) -> list[object]:
    return [event["number"] for event in found]


def test_without_events_nothing_is_returned() -> None:
    assert events_with(0, 3).after(0, 10) == ([], 0)


def test_events_are_returned_in_order_and_limited() -> None:
    events = events_with(5, 10)
    assert numbers(events.after(0, 2)[0]) == [1, 2]
    assert numbers(events.after(2, 10)[0]) == [3, 4, 5]
    assert events.after(5, 10) == ([], 0)


def test_a_slow_reader_gets_the_number_of_lost_events() -> None:
    events = events_with(10, 3)
    found, missed = events.after(4, 10)
    assert (numbers(found), missed) == ([8, 9, 10], 3)
    assert events.after(7, 10)[1] == 0


def test_ids_of_other_logs_are_rejected() -> None:
    events = events_with(3, 3)
    ids = [str(event["id"]) for event in events.after(0, 3)[0]]
    assert [events.position(one) for one in ids] == [1, 2, 3]
    beyond = ids[0][:-1] + "4"
    for other in (str(events_with(3, 3).after(0, 1)[0][0]["id"]), beyond, "", "x", "9" * 99):
        assert events.position(other) is None


def receive(listener: ClientConnection) -> dict[str, object]:
    """The next event."""
    return dict(json.loads(listener.recv(timeout=600)))


@pytest.fixture
def api_with_events(api: LiveApi) -> LiveApi:
    """An API with events of its two cameras and one identity."""
    api.receive(IDENTITIES, identity_sent("gate", 1, 1, 1.0))
    return api


def test_a_client_gets_new_events_only(api_with_events: LiveApi) -> None:
    with api_with_events.events() as listener:
        # Its position is fixed with the first event.
        assert listener.ping().wait(20)
        api_with_events.receive(IDENTITIES, identity_sent("hall", 2, 9, 3.0))
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
        api_with_events.receive(OBSERVATIONS, camera_sent("gate", 3))
        event = receive(listener)
        assert (event["type"], event["camera_id"]) == ("camera", "gate")
        assert (event["state"], event["reason"]) == ("running", "")
        # An unchanged state gives no further event.
        api_with_events.receive(OBSERVATIONS, camera_sent("gate", 4))
        api_with_events.receive(IDENTITIES, EndMessage(4.0))
        assert receive(listener)["type"] == "end"


def test_a_client_resumes_where_it_was(api_with_events: LiveApi) -> None:
    with api_with_events.events() as listener:
        assert listener.ping().wait(20)
        api_with_events.receive(IDENTITIES, identity_sent("hall", 2, 2, 2.0))
        last = receive(listener)
    api_with_events.receive(
        IDENTITIES, identity_sent("hall", 3, 3, 3.0), identity_sent("hall", 4, 4, 4.0)
    )
    with api_with_events.events(f"?after={last['id']}") as listener:
        assert [receive(listener)["global_id"] for _ in range(2)] == [3, 4]


def test_a_client_with_an_id_of_another_process_gets_a_missed_event(
    api_with_events: LiveApi,
) -> None:
    with api_with_events.events("?after=another-3") as listener:
        assert receive(listener) == {"type": "missed"}
        assert [receive(listener)["type"] for _ in range(3)] == ["identity", "camera", "camera"]


def test_a_client_that_reads_nothing_blocks_no_other(api: LiveApi) -> None:
    api.site.events = Events(most=5)
    with api.events() as slow:
        assert slow.ping().wait(20)
        # More than fits into the buffers of both ends.
        for _ in range(300):
            api.site.events.add({"type": "camera", "reason": "x" * 100_000})
        assert api.http.get("/healthz").json() == {"status": "ok"}
        kinds = []
        while kinds[-1:] != ["missed"]:
            kinds.append(receive(slow)["type"])
        assert len(kinds) < 300
        # It continues with the oldest kept event.
        assert [receive(slow)["type"] for _ in range(5)] == ["camera"] * 5


def test_a_client_is_disconnected_at_the_end_of_the_process(
    open_api: Callable[..., LiveApi],
) -> None:
    api = open_api()
    with api.events() as listener:
        assert listener.ping().wait(20)
        api.close()
        with pytest.raises(ConnectionClosed):
            listener.recv(timeout=600)


def test_a_correction_is_an_event_until_its_person_is_forgotten(api: LiveApi) -> None:
    made = Correction("name", "anna", 9.0, 3, global_id=7, name="Ben")
    api.receive(IDENTITIES, CorrectionMessage(made))
    (event,) = [one for one in api.site.events.after(0, 10)[0] if one["type"] == "correction"]
    assert {name: event[name] for name in ("number", "kind", "by", "global_ids", "text")} == {
        "number": 3,
        "kind": "name",
        "by": "anna",
        "global_ids": [7],
        "text": "7 is called Ben",
    }
    api.receive(IDENTITIES, ForgetMessage(7, 10.0, []))
    assert "Ben" not in str(api.site.events.after(0, 10))
