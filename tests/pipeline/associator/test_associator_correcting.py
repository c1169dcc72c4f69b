"""Corrections on the streams: made between two moments, once, the same after every crash."""

import threading
from collections.abc import Sequence
from itertools import count

import pytest

from builders import tracklet_sent, watermark
from buses import KilledError, MortalBus, send
from pipeline.associator.associator import AssociatorService
from pipeline.bus import correcting
from pipeline.bus.keys import ASSOCIATOR, IDENTITIES, RECORDER, TRACKLETS, correct_key
from pipeline.bus.messages import (
    CorrectionMessage,
    CorrectMessage,
    IdentityMessage,
    Message,
)
from pipeline.bus.streams import Bus
from trackers.association.appearance import Calibration
from trackers.association.association import Rules
from trackers.association.corrections import Correction, Part
from trackers.association.ground_association import GroundAssociation
from trackers.association.motion import Limits

RED, BLUE = (1.0, 0.0), (0.0, 1.0)
MERGE = Correction("merge", by="anna", at=99.0, global_id=2, into=1)


def gate() -> list[Message]:
    """Track 1 until 4 s, track 2 of another look from 5 to 8 s, track 3 like it from 9 s on."""
    sent: list[Message] = []
    for track, start, look in ((1, 1, RED), (2, 5, BLUE), (3, 9, BLUE)):
        for at in range(start + 1, start + 4):
            closed = at == start + 3
            sent.append(tracklet_sent("gate", track, start, at, look=look, closed=closed))
            sent.append(watermark("gate", at))
    return [*sent, watermark("gate", 13.0, ended=True)]


def associate(bus: Bus) -> None:
    """Run an associator until the end."""
    calibration = Calibration(20.0, 0.5, 0.0, 0.1, 1e-9, 0.0)
    rules = Rules(1.5, 1, 0.5, 600.0, Limits(3.0, 1.5), calibration)
    AssociatorService(bus, GroundAssociation(rules, {}), ["gate"]).run(threading.Event())


def opened(url: str, site: str, *requests: CorrectMessage) -> list[str]:
    """A site of which all is sent; returns the ids of the requests."""
    with Bus(url, site) as bus:
        bus.declare()
        send(bus, TRACKLETS, gate())
        return [correcting.request(bus, request) for request in requests]


def said(url: str, site: str) -> list[Message]:
    """The messages of the associator."""
    with Bus(url, site) as bus:
        return [d.message for d in bus.read(RECORDER, "1", [IDENTITIES], 0) if d.message]


def owners(messages: Sequence[Message]) -> dict[int, int]:
    """The last person of each track."""
    found = [m for m in messages if isinstance(m, IdentityMessage)]
    return {message.track_id: message.global_id for message in found}


def corrections(messages: Sequence[Message]) -> list[Correction]:
    """The corrections that were made."""
    return [m.correction for m in messages if isinstance(m, CorrectionMessage)]


def test_a_correction_takes_effect_after_its_moment_and_outranks_the_end(
    redis_url: str, site: str
) -> None:
    (entry,) = opened(redis_url, site, CorrectMessage(MERGE, 0, after=8.0))
    with Bus(redis_url, site) as bus:
        associate(bus)
        reply = correcting.answer(bus, entry)
        assert correcting.requested(bus) == []
    messages = said(redis_url, site)
    (made,) = corrections(messages)
    assert reply is not None
    assert reply.correction == made
    assert (made.number, made.by, made.at, made.event_time) == (1, "anna", 99.0, 8.0)
    assert [change.key for change in made.changes] == [("gate", 2, None)]
    event = messages[messages.index(CorrectionMessage(made)) - 1]
    assert isinstance(event, IdentityMessage)
    assert (event.kind, event.global_id, event.at) == ("corrected", 1, 8.0)
    assert event.reason == "correction 1: 2 is the same person as 1"
    found = owners(messages)
    assert found[1] == found[2] == 1


def test_without_it_they_are_two(redis_url: str, site: str) -> None:
    opened(redis_url, site)
    with Bus(redis_url, site) as bus:
        associate(bus)
    found = owners(said(redis_url, site))
    assert found[1] != found[2]


@pytest.mark.parametrize("done", [False, True], ids=["before it is done", "after it is done"])
def test_killed_anywhere_it_makes_each_correction_once_at_the_same_moment(
    redis_url: str, site: str, done: bool
) -> None:
    back = Correction("undo", at=99.0, undoes=1)
    requests = CorrectMessage(MERGE, 0, after=8.0), CorrectMessage(back, 1, after=10.0)
    opened(redis_url, site, *requests)
    with Bus(redis_url, site) as bus:
        associate(bus)
    expected = said(redis_url, site)
    assert [one.kind for one in corrections(expected)] == ["merge", "undo"]
    for last in count(1):
        one = f"{site}.{last}"
        opened(redis_url, one, *requests)
        with MortalBus(redis_url, one, last, done=done, count=3) as mortal:
            try:
                associate(mortal)
                break
            except KilledError:
                pass
        with Bus(redis_url, one) as bus:
            associate(bus)
            assert bus.claim(ASSOCIATOR, "1", TRACKLETS) == []
        assert said(redis_url, one) == expected, last
    assert last > 10


def test_what_was_checked_with_an_older_state_is_refused(redis_url: str, site: str) -> None:
    name = Correction("name", at=99.0, global_id=1, name="Anna")
    requests = [
        CorrectMessage(MERGE, 0, after=8.0),
        # Does not know the first, which is about the same people; and merges who is gone by now.
        CorrectMessage(name, 0, after=8.0),
        CorrectMessage(
            Correction("merge", at=99.0, global_id=2, into=1), 1, [], {2: 8.0}, after=8.0
        ),
        CorrectMessage(Correction("undo", at=99.0, undoes=1), 0, after=8.0),
        CorrectMessage(name, 1, after=8.0),
    ]
    entries = opened(redis_url, site, *requests)
    with Bus(redis_url, site) as bus:
        associate(bus)
        replies = [correcting.answer(bus, entry) for entry in entries]
    assert [bool(reply and reply.correction) for reply in replies] == [True, *[False] * 3, True]
    assert [one.number for one in corrections(said(redis_url, site))] == [1, 2]


def test_tracks_that_the_associator_has_forgotten_are_corrected_as_they_are_recorded(
    redis_url: str, site: str
) -> None:
    old = Part("yard", 7, None, -5000.0, -4990.0, 2)
    opened(redis_url, site, CorrectMessage(MERGE, 3, [old], {2: 8.0}, after=8.0))
    with Bus(redis_url, site) as bus:
        associate(bus)
    (made,) = corrections(said(redis_url, site))
    assert made.number == 4
    assert [change.key for change in made.changes] == [("yard", 7, None), ("gate", 2, None)]


def test_a_request_that_cannot_be_read_is_dropped(redis_url: str, site: str) -> None:
    opened(redis_url, site)
    with Bus(redis_url, site) as bus:
        bus.client.xadd(correct_key(site), {"version": 2, "message": b"\xc1"})
        bus.client.xadd(correct_key(site), {"message": b""})
        associate(bus)
        assert bus.client.xlen(correct_key(site)) == 0
    assert corrections(said(redis_url, site)) == []


def test_a_request_can_be_withdrawn_until_it_is_answered(redis_url: str, site: str) -> None:
    first, second = opened(redis_url, site, CorrectMessage(MERGE, 0), CorrectMessage(MERGE, 0))
    with Bus(redis_url, site) as bus:
        assert correcting.withdraw(bus, first)
        assert not correcting.withdraw(bus, first)
        associate(bus)
        assert not correcting.withdraw(bus, second)
        assert correcting.answer(bus, first) is None
