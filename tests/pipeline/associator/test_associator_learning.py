"""An associator that is started again knows the ways between cameras that it had learnt."""

import threading

import msgspec
import numpy as np
import pytest
import redis

from builders import tracklet_sent, watermark
from builders_trackers import make_calibration, make_rules
from buses import send
from pipeline.associator.associator import AssociatorService
from pipeline.associator.checkpoint import tracklets_in
from pipeline.bus.keys import IDENTITIES, RECORDER, TRACKLETS, state_key
from pipeline.bus.messages import IdentityMessage, Message, TrackletMessage, WatermarkMessage
from pipeline.bus.streams import Bus
from trackers.association.association import Rules
from trackers.association.ground_association import GroundAssociation

CAMERAS = ["gate", "yard"]
PEOPLE, BEFORE = 32, 26
LOOKS = np.random.default_rng(3).normal(size=(PEOPLE, 32)) / 32**0.5


def rules() -> Rules:
    return make_rules(calibration=make_calibration(20.0, 0.5))


def walks() -> list[list[Message]]:
    """Each person is at the gate for 3 s, and 4 s later in the yard; a list for each of them."""
    sent = []
    for person, direction in enumerate(LOOKS):
        look, at = tuple(direction / np.linalg.norm(direction)), 6.0 * person
        sent.append(
            [
                tracklet_sent("gate", person + 1, at, at + 3, look=look, closed=True),
                tracklet_sent("yard", person + 1, at + 7, at + 9, look=look, closed=True),
                watermark("gate", at + 3),
                watermark("yard", at + 3),
            ]
        )
    ends: list[Message] = [watermark(name, 6.0 * PEOPLE + 9, ended=True) for name in CAMERAS]
    return [*sent, ends]


def sent(walks: list[list[Message]]) -> list[Message]:
    """In the order of each camera's time."""
    return sorted((m for walk in walks for m in walk), key=_moment)


def _moment(message: Message) -> float:
    if isinstance(message, WatermarkMessage):
        return message.timestamp
    assert isinstance(message, TrackletMessage)
    return message.at


class Ending(Bus):
    """Stops the service at its second read, when there is nothing more."""

    def __init__(self, url: str, site: str) -> None:
        super().__init__(url, site)
        self.stop = threading.Event()
        self.reads = 0

    def read(self, *args: object, **more: object) -> list[object]:  # type: ignore[override]
        self.reads += 1
        if self.reads == 2:
            self.stop.set()
        return super().read(*args, **more)  # type: ignore[arg-type,return-value]


def work(url: str, site: str, messages: list[Message], *, end: bool) -> None:
    with Ending(url, site) as bus:
        bus.declare()
        send(bus, TRACKLETS, messages)
        stop = threading.Event() if end else bus.stop
        AssociatorService(bus, GroundAssociation(rules(), {}), CAMERAS).run(stop)


def identities(url: str, site: str) -> list[Message]:
    with Bus(url, site) as bus:
        return [d.message for d in bus.read(RECORDER, "1", [IDENTITIES], 0)]


@pytest.fixture(scope="module")
def undisturbed(redis_url: str) -> list[Message]:
    work(redis_url, "undisturbed-learning", sent(walks()), end=True)
    return identities(redis_url, "undisturbed-learning")


def interrupted(url: str, site: str) -> dict[str, dict[str, object]]:
    """Work on what ``BEFORE`` people did; what was learnt of each camera by then."""
    work(url, site, sent(walks()[:BEFORE]), end=False)
    with Bus(url, site) as bus:
        state = bus.state()
    ways = [name for name in state if name.startswith("ways::")]
    return {name.removeprefix("ways::"): msgspec.msgpack.decode(state[name]) for name in ways}


def test_started_again_it_decides_with_the_ways_that_were_learnt(
    redis_url: str, site: str, undisturbed: list[Message]
) -> None:
    learnt = interrupted(redis_url, site)
    ((later, _, typical_s, overlaps, _),) = [w for w in learnt["gate"]["ways"] if w[0] != "gate"]
    assert (later, overlaps) == ("yard", False)
    assert 4 < typical_s < 4.2
    work(redis_url, site, sent(walks()[BEFORE:]), end=True)
    assert identities(redis_url, site) == undisturbed
    people = [d.global_id for d in undisturbed if isinstance(d, IdentityMessage)]
    assert PEOPLE <= max(people) < PEOPLE + 3


def test_the_ways_that_were_learnt_matter(
    redis_url: str, site: str, undisturbed: list[Message]
) -> None:
    learnt = interrupted(redis_url, site)
    with redis.Redis.from_url(redis_url) as client:
        client.hdel(state_key(site), *(f"ways::{name}" for name in learnt))
    work(redis_url, site, sent(walks()[BEFORE:]), end=True)
    assert identities(redis_url, site) != undisturbed


def test_only_what_was_learnt_anew_is_written(redis_url: str, site: str) -> None:
    interrupted(redis_url, site)
    sent = [[watermark(name, 6.0 * BEFORE + later) for name in CAMERAS] for later in (60, 120)]
    work(redis_url, site, sent[0], end=False)
    with redis.Redis.from_url(redis_url) as client:
        assert client.hdel(state_key(site), "ways::gate", "ways::yard") > 0
    work(redis_url, site, sent[1], end=False)
    with Bus(redis_url, site) as bus:
        assert not [name for name in bus.state() if name.startswith("ways::")]


def test_ways_are_no_tracklets(redis_url: str, site: str) -> None:
    interrupted(redis_url, site)
    with Bus(redis_url, site) as bus:
        assert 0 < tracklets_in(bus.state()) <= 2 * BEFORE
    assert tracklets_in({}) == 0
