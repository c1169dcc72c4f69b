import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest
import redis

from pipeline.bus.keys import claim_key
from pipeline.bus.lease import LEASE_S, CameraLease

Opens = Callable[..., CameraLease]
HERE = socket.gethostname()


@pytest.fixture
def opens(redis_url: str, site: str) -> Iterator[Opens]:
    with ExitStack() as stack:
        yield lambda *cameras: stack.enter_context(closing(CameraLease(redis_url, site, cameras)))


def test_a_camera_is_followed_by_one_node_at_a_time(
    opens: Opens, redis_url: str, site: str
) -> None:
    first, second = opens("gate", "yard"), opens("hall", "yard")
    assert first.claim() == {}
    assert first.claim() == {}
    assert second.claim() == {"yard": HERE}
    with redis.Redis.from_url(redis_url) as client:
        assert 0 < client.pttl(claim_key(site, "gate")) <= LEASE_S * 1000
        # Who does not get all takes none.
        assert not client.exists(claim_key(site, "hall"))
        client.delete(claim_key(site, "yard"))  # it has expired
    assert second.claim() == {}
    assert first.claim() == {"yard": HERE}


def test_what_is_kept_is_free_again_afterwards(opens: Opens) -> None:
    first, second = opens("gate"), opens("gate")
    assert first.claim() == {}
    with first.kept():
        assert second.claim() == {"gate": HERE}
    assert second.claim() == {}


def test_what_expired_and_nobody_took_is_ours_again(
    opens: Opens, redis_url: str, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that was cut off for a while is back before anybody noticed."""
    monkeypatch.setattr("pipeline.bus.lease._BEAT_S", 0.001)
    first = opens("gate")
    assert first.claim() == {}
    with redis.Redis.from_url(redis_url) as client, first.kept():
        client.delete(claim_key(site, "gate"))
        while not client.exists(claim_key(site, "gate")):
            pass
        assert opens("gate").claim() == {"gate": HERE}


def test_cameras_may_come_and_go(opens: Opens) -> None:
    first, second = opens(), opens("yard")
    assert (first.claim(), second.claim()) == ({}, {})
    assert first.claim_more(["gate", "yard"]) == {"yard": HERE}
    assert second.claim_more(["gate"]) == {}
    second.leave(["yard"])
    assert first.claim_more(["yard"]) == {}
    with second.kept():
        pass
    assert first.claim_more(["gate"]) == {}
