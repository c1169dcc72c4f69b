from collections.abc import Iterator

import pytest

from builders import camera_sent, tracklet_sent, watermark
from pipeline.bus.connection import BusLostError
from pipeline.bus.entries import Outgoing
from pipeline.bus.keys import OBSERVATIONS, RECORDER, TRACKLETS
from pipeline.bus.messages import Message
from pipeline.bus.outbox import Outbox, SentState, sent_state
from pipeline.bus.streams import Bus
from pipeline.errors import UserError

FIRST: list[tuple[str, Message]] = [
    (OBSERVATIONS, camera_sent("gate", 10)),
    (TRACKLETS, tracklet_sent("gate", 1, 0.0, 1.0)),
    (TRACKLETS, watermark("gate", 1.0)),
]
SECOND: list[tuple[str, Message]] = [(TRACKLETS, watermark("gate", 2.0))]
THIRD: list[tuple[str, Message]] = [(TRACKLETS, watermark("gate", 3.0, ended=True))]


class Forgetful(Bus):
    """Loses the reply to `publish`, before or after it was executed."""

    lose = ""

    def publish(self, *args: object) -> bool:  # type: ignore[override]
        """As `Bus.publish`, but the reply may be lost."""
        lose, self.lose = self.lose, ""
        if lose == "before":
            raise BusLostError("away")
        done = super().publish(*args)  # type: ignore[arg-type]
        if lose == "after":
            raise BusLostError("away")
        return done


@pytest.fixture
def bus(redis_url: str, site: str) -> Iterator[Forgetful]:
    with Forgetful(redis_url, site) as opened:
        opened.declare()
        yield opened


def got(bus: Bus) -> list[tuple[str, int, Message | None]]:
    read = bus.read(RECORDER, "1", [OBSERVATIONS, TRACKLETS], 0.001)
    return [(d.stream, d.number, d.message) for d in read]


def numbered(*batches: list[tuple[str, Message]]) -> list[tuple[str, int, Message]]:
    """As a reader receives them: stream by stream."""
    messages = [each for batch in batches for each in batch]
    return [
        (stream, number, message)
        for stream in (OBSERVATIONS, TRACKLETS)
        for number, message in enumerate([m for s, m in messages if s == stream], start=1)
    ]


def test_messages_are_numbered_for_each_stream(bus: Bus) -> None:
    outbox = Outbox(bus, "gate", live=False)
    outbox.send(FIRST)
    outbox.send(SECOND)
    assert got(bus) == numbered(FIRST, SECOND)


def test_a_recording_that_is_played_again_sends_only_what_is_new(bus: Bus) -> None:
    Outbox(bus, "gate", live=False).send(FIRST)
    again = Outbox(bus, "gate", live=False)
    assert again.known.batches == 1
    for batch in (FIRST, SECOND):
        again.send(batch)
    assert got(bus) == numbered(FIRST, SECOND)


def test_two_nodes_of_one_recording_send_it_once(bus: Bus) -> None:
    one, other = (Outbox(bus, "gate", live=False) for _ in range(2))
    one.send(FIRST)
    other.send(FIRST)
    other.send(SECOND)
    one.send(SECOND)
    one.send(THIRD)
    assert got(bus) == numbered(FIRST, SECOND, THIRD)


@pytest.mark.parametrize("lose", ["before", "after"])
@pytest.mark.parametrize("live", [False, True])
def test_a_batch_whose_reply_was_lost_is_sent_once(bus: Forgetful, lose: str, live: bool) -> None:
    outbox = Outbox(bus, "gate", live=live)
    for batch in (FIRST, SECOND):
        bus.lose = lose
        with pytest.raises(BusLostError):
            outbox.send(batch)
        outbox.send(batch)
    assert got(bus) == numbered(FIRST, SECOND)


def test_after_the_end_nothing_more_is_sent(bus: Bus) -> None:
    outbox = Outbox(bus, "gate", live=False)
    outbox.send(FIRST, ended=True)
    again = Outbox(bus, "gate", live=False)
    assert again.known.ended
    for batch in (FIRST, SECOND):
        again.send(batch)
    assert got(bus) == numbered(FIRST)


def test_a_live_camera_continues_where_it_was(bus: Bus) -> None:
    Outbox(bus, "gate", live=True).send(FIRST, track_id=1, frames=10)
    again = Outbox(bus, "gate", live=True)
    assert (again.known.track_id, again.known.frames, again.known.node) == (1, 10, 2)
    again.send(SECOND)
    assert got(bus) == numbered(FIRST, SECOND)


def test_a_live_camera_may_return_after_its_end(bus: Bus) -> None:
    outbox = Outbox(bus, "gate", live=True)
    outbox.send(FIRST, ended=False)
    outbox.send(THIRD, ended=True)
    again = Outbox(bus, "gate", live=True)
    assert again.known.ended
    again.send(SECOND, ended=False)
    assert got(bus) == numbered(FIRST, THIRD, SECOND)
    assert not sent_state(bus, "gate").ended


def test_a_second_node_of_a_live_camera_stops_the_first(bus: Bus) -> None:
    first = Outbox(bus, "gate", live=True)
    first.send(FIRST)
    Outbox(bus, "gate", live=True)
    with pytest.raises(UserError, match="camera gate is now run by another node"):
        first.send(SECOND)
    assert got(bus) == numbered(FIRST)


def test_a_redis_that_lost_data_is_reported(bus: Bus) -> None:
    outbox = Outbox(bus, "gate", live=False)
    outbox.send(FIRST)
    outbox.send(SECOND)
    bus.delete_site()
    with pytest.raises(UserError, match=r"lost messages of camera gate.*appendonly yes"):
        outbox.send(THIRD)


def test_a_changed_recording_is_reported(bus: Bus) -> None:
    Outbox(bus, "gate", live=False).send(FIRST)
    with pytest.raises(UserError, match="camera gate differs from before the node was restarted"):
        Outbox(bus, "gate", live=False).send(SECOND)


def test_nothing_is_published_when_the_stored_state_differs(bus: Bus) -> None:
    message = Outgoing(TRACKLETS, "gate", 1, watermark("gate", 1.0))
    assert not bus.publish("gate", [message], b"unknown", b"new")
    assert bus.publish("gate", [message], None, b"new")
    assert not bus.publish("gate", [message], None, b"newer")
    assert len(got(bus)) == 1


def test_nothing_was_sent_at_first(bus: Bus) -> None:
    assert Outbox(bus, "gate", live=False).known == SentState()
