"""Cameras that join, leave and come back: whatever is read at once and who dies, the same ids."""

import threading
from collections.abc import Iterator
from itertools import count

import numpy as np
import pytest

from builders import tracklet_sent, watermark
from buses import FeedingBus, KilledError, MortalBus, Sent, send
from pipeline.associator.associator import AssociatorService
from pipeline.associator.open import association_of
from pipeline.bus.keys import ASSOCIATOR, IDENTITIES, RECORDER, TRACKLETS
from pipeline.bus.messages import (
    EndMessage,
    IdentityMessage,
    JoinMessage,
    Message,
    NodeMessage,
    view_message,
)
from pipeline.bus.streams import Bus
from pipeline.config.load import check_config
from trackers.ground.view import view_of_homography

RED, BLUE = (1.0, 0.0), (0.0, 1.0)


def seen(camera_id: str, first: int, last: int, track_id: int, look: object) -> list[Message]:
    """Somebody seen by a camera from the second ``first`` to ``last``, told each second."""
    sent: list[Message] = []
    for at in range(first + 1, last + 1):
        sent.append(
            tracklet_sent(camera_id, track_id, first, at, look=look, closed=at == last)  # type: ignore[arg-type]
        )
        sent.append(watermark(camera_id, at))
    return sent


def left(camera_id: str, at: float) -> Message:
    return watermark(camera_id, at, ended=True)


#: Gate goes on all the time; yard joins when gate is at 6, though its own time is 4 then, leaves at
#: 10, comes back when gate is at 16, and leaves again. Nobody but the node knows of yard.
STORY: list[Message] = [
    NodeMessage("n", open=True),
    JoinMessage("gate"),
    *seen("gate", 0, 6, 1, RED),
    JoinMessage("yard"),
    *seen("yard", 4, 8, 1, BLUE),
    *seen("gate", 6, 12, 2, BLUE),
    *seen("yard", 8, 10, 2, RED),
    left("yard", 10.1),
    *seen("gate", 12, 16, 3, RED),
    JoinMessage("yard"),
    *seen("yard", 15, 19, 3, RED),
    left("gate", 16.1),
    left("yard", 19.1),
    NodeMessage("n", open=False),
]


def associate(bus: Bus, cameras: list[str] | None = None) -> None:
    rules = {"association": {"min_exemplars": 1, "evidence_s": 1.0}}
    association = association_of(check_config(rules, "the test"))
    AssociatorService(bus, association, cameras or []).run(threading.Event())


def identities(url: str, site: str) -> list[Message | None]:
    with Bus(url, site) as bus:
        return [d.message for d in bus.read(RECORDER, "1", [IDENTITIES], 0.001)]


@pytest.fixture(scope="module")
def undisturbed(redis_url: str) -> list[Message | None]:
    with Bus(redis_url, "joining") as bus:
        bus.declare()
        send(bus, TRACKLETS, STORY)
        associate(bus)
    return identities(redis_url, "joining")


def test_who_joins_takes_part_and_who_left_is_not_waited_for(
    undisturbed: list[Message | None],
) -> None:
    *decisions, end = undisturbed
    owners = {(d.camera_id, d.track_id) for d in decisions if isinstance(d, IdentityMessage)}
    assert owners == {("gate", 1), ("gate", 2), ("gate", 3), ("yard", 1), ("yard", 2), ("yard", 3)}
    assert end == EndMessage(19.1)
    # What yard says of the time before it joined is decided after that.
    assert min(d.at for d in decisions if d.camera_id == "yard") > 6.0  # type: ignore[union-attr]


@pytest.mark.parametrize("at_once", [1, 2, 7, 100])
def test_it_does_not_matter_how_much_is_read_at_once(
    redis_url: str, site: str, undisturbed: list[Message | None], at_once: int
) -> None:
    chunks = [(TRACKLETS, STORY[i : i + at_once]) for i in range(0, len(STORY), at_once)]
    with FeedingBus(redis_url, site, chunks) as bus:
        bus.declare()
        associate(bus)
    assert identities(redis_url, site) == undisturbed


@pytest.mark.parametrize("done", [False, True], ids=["before it is done", "after it is done"])
def test_killed_anywhere_it_decides_the_same(
    redis_url: str, site: str, undisturbed: list[Message | None], done: bool
) -> None:
    for last in count(1):
        one = f"{site}.{last}"
        with Bus(redis_url, one) as bus:
            bus.declare()
            send(bus, TRACKLETS, STORY)
        with MortalBus(redis_url, one, last, done=done, count=5) as mortal:
            try:
                associate(mortal)
            except KilledError:
                pass
            else:
                break
        with Bus(redis_url, one) as bus:
            associate(bus)
            assert bus.claim(ASSOCIATOR, "1", TRACKLETS) == [], last
        assert identities(redis_url, one) == undisturbed, last
    assert last > 20


def test_without_a_camera_it_waits_as_long_as_a_node_is_open(redis_url: str, site: str) -> None:
    waited: list[int] = []

    def chunks() -> Iterator[Sent]:
        for number in range(3):
            yield "", ()
            waited.append(number)
        yield TRACKLETS, [NodeMessage("n", open=True), JoinMessage("a"), left("a", 1.0)]
        for number in range(3, 6):
            yield "", ()
            waited.append(number)
        yield TRACKLETS, [NodeMessage("n", open=False)]

    with FeedingBus(redis_url, site, chunks()) as bus:
        bus.declare()
        associate(bus)
    assert waited == [0, 1, 2, 3, 4, 5]
    assert identities(redis_url, site) == [EndMessage(1.0)]


def test_a_site_that_never_had_a_camera_ends_with_its_node(redis_url: str, site: str) -> None:
    with Bus(redis_url, site) as bus:
        bus.declare()
        send(bus, TRACKLETS, [NodeMessage("n", open=True), NodeMessage("n", open=False)])
        associate(bus)
    assert identities(redis_url, site) == [EndMessage(0.0)]


def test_how_a_camera_that_joins_sees_the_ground_outlasts_a_restart(
    redis_url: str, site: str
) -> None:
    view = view_message(view_of_homography(np.diag([100.0, 100.0, 1.0])))
    with Bus(redis_url, site) as bus:
        bus.declare()
        send(bus, TRACKLETS, [JoinMessage("gate", view), watermark("gate", 1.0, ended=True)])
        associate(bus)
        association = association_of(check_config({}, "the test"))
        AssociatorService(bus, association, []).run(threading.Event())
    assert set(association.views) == {"gate"}
    np.testing.assert_allclose(association.views["gate"].projection[0, 0], 100.0)
