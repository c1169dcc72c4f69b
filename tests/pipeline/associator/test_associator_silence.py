"""A live camera whose node died holds nobody up, and what comes of it later is decided rightly."""

import threading
from collections.abc import Iterator

from builders import tracklet_sent, watermark
from buses import FeedingBus, Sent
from pipeline.associator.associator import AssociatorService
from pipeline.associator.open import association_of
from pipeline.associator.watermarks import Silence
from pipeline.bus.keys import ASSOCIATOR, IDENTITIES, RECORDER, TRACKLETS
from pipeline.bus.messages import EndMessage, IdentityMessage, Message
from pipeline.config.schema import SiteConfig

CAMERAS = ["gate", "yard"]
SILENT_S = 10.0
RED, BLUE = (1.0, 0.0), (0.0, 1.0)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def sent(name: str, first: int, last: int, *, ended: bool = False) -> list[Message]:
    """Somebody else every four seconds, seen each second from ``first`` to ``last``."""
    messages: list[Message] = []
    for at in range(first, last + 1):
        track, closed = (at - 1) // 4 + 1, at % 4 == 0
        look = RED if name == "gate" else BLUE
        start = 4.0 * (track - 1)
        messages.append(tracklet_sent(name, track, start, float(at), look=look, closed=closed))
        messages.append(watermark(name, float(at), ended=ended and at == last))
    return messages


def outage(clock: Clock, late: list[Message]) -> Iterator[Sent]:
    """Yard is silent from 4 to 20 while gate goes on; then ``late`` comes of it, and both end."""
    yield TRACKLETS, [*sent("gate", 1, 4), *sent("yard", 1, 4)]
    yield "", ()
    clock.now += SILENT_S
    yield TRACKLETS, sent("gate", 5, 20)
    yield "", ()
    yield "", ()
    yield TRACKLETS, late
    yield "", ()
    yield TRACKLETS, [*sent("yard", 21, 24, ended=True), *sent("gate", 21, 24, ended=True)]


def associate(
    url: str, site: str, *, live: bool, late: list[Message], gallery_s: float = 600.0
) -> list[IdentityMessage]:
    """What is decided over an outage of yard."""
    clock = Clock()
    config = SiteConfig.model_validate(
        {"association": {"min_exemplars": 1, "gallery_s": gallery_s}}
    )
    with FeedingBus(url, site, outage(clock, late)) as bus:
        bus.declare()
        silence = Silence(CAMERAS if live else [], SILENT_S, clock)
        service = AssociatorService(bus, association_of(config), CAMERAS, silence=silence)
        service.run(threading.Event())
        assert bus.claim(ASSOCIATOR, "1", TRACKLETS) == []
        found = [d.message for d in bus.read(RECORDER, "1", [IDENTITIES], 0.001)]
    assert isinstance(found[-1], EndMessage)
    return [message for message in found if isinstance(message, IdentityMessage)]


def moments(found: list[IdentityMessage], name: str) -> dict[int, float]:
    """When it was first decided who the tracks of a camera are."""
    return {m.track_id: m.at for m in found if m.camera_id == name and m.kind == "assigned"}


def test_others_go_on_and_what_comes_late_counts_at_the_last_moment(
    redis_url: str, site: str
) -> None:
    late = sent("yard", 5, 20)
    found = associate(redis_url, site, live=True, late=late)
    calm = associate(redis_url, f"{site}.calm", live=False, late=late)
    assert moments(found, "gate") == moments(calm, "gate")
    assert moments(calm, "yard") == {1: 2.0, 2: 6.0, 3: 10.0, 4: 14.0, 5: 18.0, 6: 22.0}
    assert moments(found, "yard") == {1: 2.0, 2: 20.0, 3: 20.0, 4: 20.0, 5: 20.0, 6: 22.0}
    # Time never runs back, and who is who is the same.
    assert [m.at for m in found] == sorted(m.at for m in found)
    owners = {name: {m.global_id for m in found if m.camera_id == name} for name in CAMERAS}
    assert {n: {m.global_id for m in calm if m.camera_id == n} for n in CAMERAS} == owners


def test_what_comes_after_people_were_forgotten_makes_nobody_new(redis_url: str, site: str) -> None:
    """The end of a track that was decided before the outage comes when all of it is forgotten."""
    late = sent("yard", 5, 6)
    found = associate(redis_url, site, live=True, late=late, gallery_s=5.0)
    assert moments(found, "yard").keys() == {1, 6}


def test_a_recording_is_waited_for(redis_url: str, site: str) -> None:
    found = associate(redis_url, site, live=False, late=sent("yard", 5, 20))
    assert moments(found, "yard").keys() == {1, 2, 3, 4, 5, 6}
