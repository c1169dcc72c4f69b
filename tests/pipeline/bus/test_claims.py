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


def test_a_camera_is_claimed_by_one_node_at_a_time(opens: Opens, redis_url: str, site: str) -> None:
    first, second = opens("gate", "yard"), opens("hall", "yard")
    assert first.claim() == {}
    assert first.claim() == {}
    assert second.claim() == {"yard": HERE}
    with redis.Redis.from_url(redis_url) as client:
        assert 0 < client.pttl(claim_key(site, "gate")) <= LEASE_S * 1000
        # A node that cannot claim all its cameras claims none.
        assert not client.exists(claim_key(site, "hall"))
        client.delete(claim_key(site, "yard"))  # it has expired
    assert second.claim() == {}
    assert first.claim() == {"yard": HERE}


def test_a_lease_is_released_after_the_block(opens: Opens) -> None:
    first, second = opens("gate"), opens("gate")
    assert first.claim() == {}
    with first.renewed():
        assert second.claim() == {"gate": HERE}
    assert second.claim() == {}


def test_an_expired_lease_that_is_still_free_is_renewed(
    opens: Opens, redis_url: str, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that was disconnected for a while reconnects before another node claims its camera."""
    monkeypatch.setattr("pipeline.bus.lease._RENEW_S", 0.001)
    first = opens("gate")
    assert first.claim() == {}
    with redis.Redis.from_url(redis_url) as client, first.renewed():
        client.delete(claim_key(site, "gate"))
        while not client.exists(claim_key(site, "gate")):
            pass
        assert opens("gate").claim() == {"gate": HERE}


def test_cameras_can_be_claimed_and_released_later(opens: Opens) -> None:
    first, second = opens(), opens("yard")
    assert (first.claim(), second.claim()) == ({}, {})
    assert first.claim_more(["gate", "yard"]) == {"yard": HERE}
    assert second.claim_more(["gate"]) == {}
    second.release(["yard"])
    assert first.claim_more(["yard"]) == {}
    with second.renewed():
        pass
    assert first.claim_more(["gate"]) == {}
