import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import count

import msgspec
import numpy as np
import pytest
import redis

from builders import identity_sent, tracklet_sent, watermark
from buses import FeedingBus, KilledError, MortalBus, send
from pipeline.associator import associator
from pipeline.associator.associator import AssociatorService
from pipeline.bus.keys import (
    ASSOCIATOR,
    IDENTITIES,
    RECORDER,
    TRACKLETS,
    dead_letter_key,
    stream_key,
    term_key,
)
from pipeline.bus.lease import AssociatorLease
from pipeline.bus.messages import EndMessage, IdentityMessage, Message
from pipeline.bus.streams import Bus, FencedError
from trackers.association.appearance import Calibration
from trackers.association.association import Rules
from trackers.association.decision import Decision
from trackers.association.ground_association import GroundAssociation
from trackers.association.motion import Limits

RED, BLUE = (1.0, 0.0), (0.0, 1.0)
CAMERAS = ["gate", "yard"]


def association(gallery_s: float = 600.0) -> GroundAssociation:
    return GroundAssociation(
        Rules(
            evidence_s=1.5,
            min_exemplars=1,
            min_confidence=0.5,
            gallery_s=gallery_s,
            limits=Limits(3.0, 1.5),
            # What is learnt while running is part of the state too.
            calibration=Calibration(4.0, 0.5, 0.0, 0.1, 1e-9, 0.0),
        ),
        {},
    )


def told_by(camera_id: str, first: tuple[float, float]) -> list[Message]:
    """Track 1 looks like ``first`` and is closed at 4, track 2 the other from 1 s on.

    Track 3 comes at 5 and looks like ``first`` again; track 4 shows nothing of itself.
    """
    second = BLUE if first == RED else RED
    sent: list[Message] = []
    for at in (1.0, 2.0, 3.0, 4.0):
        sent.append(tracklet_sent(camera_id, 1, 0.2, at, look=first, closed=at == 4))
        if at > 1:
            sent.append(tracklet_sent(camera_id, 2, 1.0, at, look=second))
        sent.append(watermark(camera_id, at))
    for at in (6.0, 7.0):
        sent.append(tracklet_sent(camera_id, 2, 1.0, at, look=second, closed=at == 7))
        sent.append(tracklet_sent(camera_id, 3, 5.0, at, look=first, closed=at == 7))
        sent.append(watermark(camera_id, at))
    sent.append(tracklet_sent(camera_id, 4, 7.1, 7.5, look=(), closed=True))
    sent.append(watermark(camera_id, 7.5, ended=True))
    return sent


GATE, YARD = told_by("gate", RED), told_by("yard", BLUE)


def identities(url: str, site: str) -> list[Message]:
    with Bus(url, site) as bus:
        return [d.message for d in bus.read(RECORDER, "1", [IDENTITIES], 0)]


def associate(bus: Bus, gallery_s: float = 600.0) -> list[tuple[str, int, int]]:
    sent: list[Decision] = []
    service = AssociatorService(bus, association(gallery_s), CAMERAS, on_decision=sent.append)
    service.run(threading.Event())
    return [(*decision.key, decision.global_id) for decision in sent]


def in_peace(url: str, site: str, gallery_s: float = 600.0) -> list[Message]:
    with Bus(url, site) as bus:
        bus.declare()
        send(bus, TRACKLETS, GATE)
        send(bus, TRACKLETS, YARD)
        associate(bus, gallery_s)
    return identities(url, site)


@pytest.fixture(scope="module")
def undisturbed(redis_url: str) -> list[Message]:
    return in_peace(redis_url, "undisturbed")


def test_every_track_that_shows_something_gets_an_identity(undisturbed: list[Message]) -> None:
    *decisions, end = undisturbed
    owners = {(d.camera_id, d.track_id): d.global_id for d in decisions}
    assert {(name, track) for name in CAMERAS for track in (1, 2, 3)} <= owners.keys()
    assert all(owners[name, 1] != owners[name, 2] for name in CAMERAS)
    assert end == EndMessage(7.5)


def alternating(first: Sequence[Message], second: Sequence[Message]) -> list[Message]:
    return [message for pair in zip(first, second, strict=True) for message in pair]


@pytest.mark.parametrize(
    "arrival",
    [
        [*GATE, *YARD],
        [*YARD, *GATE],
        alternating(GATE, YARD),
        alternating(YARD, GATE),
        [*GATE[:7], *YARD[:12], *GATE[7:], *YARD[12:]],
    ],
    ids=["gate first", "yard first", "in turns", "in other turns", "in pieces"],
)
@pytest.mark.parametrize("at_once", [1, 3, 100])
def test_order_of_arrival_and_size_of_reads_change_nothing(
    redis_url: str,
    site: str,
    undisturbed: list[Message],
    arrival: list[Message],
    at_once: int,
) -> None:
    chunks = [(TRACKLETS, arrival[i : i + at_once]) for i in range(0, len(arrival), at_once)]
    with FeedingBus(redis_url, site, chunks, count=max(at_once // 2, 1)) as bus:
        bus.declare()
        associate(bus)
    assert identities(redis_url, site) == undisturbed


def killed_runs(
    url: str, prefix: str, gallery_s: float, *, done: bool
) -> Iterator[tuple[int, str]]:
    """The site of a run that was killed at its first call to the bus, its second, and so on."""
    for last in count(1):
        site = f"{prefix}.{last}"
        with Bus(url, site) as bus:
            bus.declare()
            send(bus, TRACKLETS, alternating(GATE, YARD))
        with MortalBus(url, site, last, done=done, count=5) as bus:
            try:
                associate(bus, gallery_s)
            except KilledError:
                yield last, site
                continue
            return


@pytest.mark.parametrize("done", [False, True], ids=["before it is done", "after it is done"])
@pytest.mark.parametrize("gallery_s", [600.0, 2.0], ids=["remembering", "forgetting"])
def test_killed_anywhere_and_started_again_it_decides_the_same(
    redis_url: str, site: str, gallery_s: float, done: bool
) -> None:
    expected = in_peace(redis_url, site, gallery_s)
    killed = 0
    for last, one in killed_runs(redis_url, site, gallery_s, done=done):
        with Bus(redis_url, one) as bus:
            associate(bus, gallery_s)
            assert bus.claim(ASSOCIATOR, "1", TRACKLETS) == [], last
        assert identities(redis_url, one) == expected, last
        killed = last
    assert killed > 10


def test_killed_again_and_again_it_gets_there(
    redis_url: str, site: str, undisturbed: list[Message]
) -> None:
    with Bus(redis_url, site) as bus:
        bus.declare()
        send(bus, TRACKLETS, alternating(GATE, YARD))
    deaths = 0
    while True:
        with MortalBus(redis_url, site, 3, done=True, count=5) as bus:
            try:
                associate(bus)
                break
            except KilledError:
                deaths += 1
    assert deaths > 3
    assert identities(redis_url, site) == undisturbed


def test_once_finished_it_says_so_once(
    redis_url: str, site: str, undisturbed: list[Message]
) -> None:
    with Bus(redis_url, site) as bus:
        bus.declare()
        send(bus, TRACKLETS, [*GATE, *YARD])
        assert len(associate(bus)) == len(undisturbed) - 1
        assert associate(bus) == []
    assert identities(redis_url, site) == undisturbed


def test_nothing_is_decided_before_every_camera_has_told(
    redis_url: str, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Yard is silent, so what gate says waits, unacknowledged."""
    monkeypatch.setattr(associator, "_POLL_S", 0.01)
    stop = threading.Event()

    class Ending(FeedingBus):
        def read(self, *args: object, **more: object) -> list[object]:  # type: ignore[override]
            if next(reads) == 2:
                stop.set()
            return super().read(*args, **more)  # type: ignore[arg-type,return-value]

    reads = count()
    with Ending(redis_url, site, [(TRACKLETS, GATE)]) as bus:
        bus.declare()
        AssociatorService(bus, association(), CAMERAS).run(stop)
        assert bus.state() == {}
        assert [d.message for d in bus.claim(ASSOCIATOR, "2", TRACKLETS)] == GATE
    assert identities(redis_url, site) == []


def test_its_lease_is_kept_while_the_end_is_decided(
    redis_url: str, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    deciding = association()
    finish = deciding.finish

    def finished() -> list[Decision]:
        steps.append("finish")
        return finish()

    @contextmanager
    def keep() -> Iterator[None]:
        steps.append("kept")
        yield
        steps.append("no longer kept")

    monkeypatch.setattr(deciding, "finish", finished)
    with Bus(redis_url, site) as bus:
        bus.declare()
        send(bus, TRACKLETS, [*GATE, *YARD])
        AssociatorService(bus, deciding, CAMERAS, keep=keep).run(threading.Event())
    assert steps == ["kept", "finish", "no longer kept"]


def test_a_forgotten_person_leaves_the_state_and_the_id_is_not_given_again(
    redis_url: str, site: str
) -> None:
    class Ending(FeedingBus):
        def read(self, *args: object, **more: object) -> list[object]:  # type: ignore[override]
            stop.set()
            return super().read(*args, **more)  # type: ignore[arg-type,return-value]

    def work(bus: Bus) -> None:
        AssociatorService(bus, association(gallery_s=5.0), ["gate"]).run(stop)

    stop = threading.Event()
    first = [tracklet_sent("gate", 1, 0.0, 1.0, closed=True), watermark("gate", 1.0)]
    with Bus(redis_url, site) as bus:
        bus.declare()
        send(bus, TRACKLETS, [*first, watermark("gate", 20.0)])
    with Ending(redis_url, site, []) as bus:
        work(bus)  # reads
        stop.clear()
        work(bus)  # decides
        assert sorted(bus.state()) == ["meta"]
        second = tracklet_sent("gate", 2, 20.0, 21.0, look=BLUE, closed=True)
        send(bus, TRACKLETS, [second, watermark("gate", 21.0, ended=True)])
    with Bus(redis_url, site) as bus:
        stop.clear()
        work(bus)
        vector, *others = sorted(bus.state(), reverse=True)
        assert vector.startswith("parts::")
        assert others == ["meta", "gate:2"]
    decisions = [m for m in identities(redis_url, site) if isinstance(m, IdentityMessage)]
    assert [(d.track_id, d.global_id) for d in decisions] == [(1, 1), (2, 2)]


def test_a_camera_without_anybody_ends_with_nothing_but_the_end(redis_url: str, site: str) -> None:
    with Bus(redis_url, site) as bus:
        bus.declare()
        send(bus, TRACKLETS, [watermark(name, 3.0, ended=True) for name in CAMERAS])
        assert associate(bus) == []
    assert identities(redis_url, site) == [EndMessage(3.0)]


def test_decisions_are_told_as_they_are_written(redis_url: str, site: str) -> None:
    with Bus(redis_url, site) as bus:
        bus.declare()
        send(bus, TRACKLETS, [*GATE, *YARD])
        sent = associate(bus)
    written = [m for m in identities(redis_url, site) if isinstance(m, IdentityMessage)]
    assert sent == [(m.camera_id, m.track_id, m.global_id) for m in written]


def test_the_same_moment_is_decided_in_an_order_of_its_own(redis_url: str, site: str) -> None:
    """Ids are given by camera and track, not by who was first on the wire."""
    late_first = [
        tracklet_sent("yard", 5, 0.0, 1.0, look=(), closed=True),
        tracklet_sent("gate", 9, 0.0, 1.0, look=(), closed=True),
        watermark("yard", 1.0, ended=True),
        watermark("gate", 1.0, ended=True),
    ]
    with Bus(redis_url, site) as bus:
        bus.declare()
        send(bus, TRACKLETS, late_first)
        assert associate(bus)[0][:2] == ("gate", 9)


def test_messages_differ_enough_to_prove_something() -> None:
    looks = {tuple(np.frombuffer(m.exemplars.data, "<f2")) for m in GATE if hasattr(m, "exemplars")}
    assert looks == {RED, BLUE, ()}
    assert msgspec.structs.asdict(GATE[0]) != msgspec.structs.asdict(YARD[0])


def resent(url: str, site: str, seed: int) -> None:
    """Send every entry again, in any order, with their own numbers."""
    chance = random.Random(seed)
    with redis.Redis.from_url(url) as client:
        key = stream_key(site, TRACKLETS)
        entries = [fields for _, fields in client.xrange(key)] * 2
        client.delete(key)
        chance.shuffle(entries)
        for fields in entries:
            client.xadd(key, fields)
        client.xgroup_create(key, ASSOCIATOR, id="0")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("last", [2, 6, 1000])
def test_repeated_and_shuffled_messages_change_nothing_also_when_killed(
    redis_url: str, site: str, undisturbed: list[Message], seed: int, last: int
) -> None:
    with Bus(redis_url, site) as bus:
        bus.declare()
        send(bus, TRACKLETS, alternating(GATE, YARD))
    resent(redis_url, site, seed)
    with MortalBus(redis_url, site, last, done=bool(seed % 2), count=7) as bus:
        with suppress(KilledError):
            associate(bus)
    with Bus(redis_url, site) as bus:
        associate(bus)
        assert bus.claim(ASSOCIATOR, "1", TRACKLETS) == []
    assert identities(redis_url, site) == undisturbed


POISON = {
    "other network": (tracklet_sent("gate", 9, 0.2, 2.0, look=(1.0, 0.0, 0.0)), "of 2 numbers"),
    "not for it": (identity_sent("gate", 1, 1, 2.0), "expected a tracklet or a watermark"),
}


@pytest.mark.parametrize("last", [2, 4, 8, 1000])
@pytest.mark.parametrize(("message", "reason"), POISON.values(), ids=POISON.keys())
def test_poison_is_put_aside_and_the_rest_goes_on(
    redis_url: str,
    site: str,
    undisturbed: list[Message],
    message: Message,
    reason: str,
    last: int,
) -> None:
    with Bus(redis_url, site) as bus:
        bus.declare()
        send(bus, TRACKLETS, [*GATE[:4], message, *GATE[4:], *YARD])
    with MortalBus(redis_url, site, last, done=True, count=3) as bus, suppress(KilledError):
        associate(bus)
    with Bus(redis_url, site) as bus:
        associate(bus)
    with redis.Redis.from_url(redis_url) as client:
        ((_, dead),) = client.xrange(dead_letter_key(site))
    assert reason in dead[b"reason"].decode()
    assert (dead[b"sender"], dead[b"group"]) == (b"gate", b"associator")
    assert identities(redis_url, site) == undisturbed


def test_one_that_was_replaced_decides_nothing(
    redis_url: str, site: str, undisturbed: list[Message]
) -> None:
    """It wakes between reading and writing, after another one has done the work."""

    class Sleeping(Bus):
        def commit(self, *args: object, **more: object) -> None:
            if not replaced:
                replaced.append(True)
                with (
                    Bus(redis_url, site) as other,
                    closing(AssociatorLease(redis_url, site)) as lease,
                ):
                    lease.acquire()  # as if the first had expired
                    serve(other, term=2)
            super().commit(*args, **more)  # type: ignore[arg-type]

    def serve(bus: Bus, term: int) -> None:
        AssociatorService(bus, association(), CAMERAS, term=term).run(threading.Event())

    replaced: list[bool] = []
    with Bus(redis_url, site) as bus, redis.Redis.from_url(redis_url) as client:
        bus.declare()
        send(bus, TRACKLETS, [*GATE, *YARD])
        client.set(term_key(site), 1)
        with Sleeping(redis_url, site) as first, pytest.raises(FencedError):
            serve(first, term=1)
    assert replaced
    assert identities(redis_url, site) == undisturbed
