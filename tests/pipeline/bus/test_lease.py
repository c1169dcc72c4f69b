import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest
import redis

from pipeline.bus import lease as module
from pipeline.bus.keys import lease_key
from pipeline.bus.lease import LEASE_S, AssociatorLease
from pipeline.errors import UserError

Opens = Callable[[], AssociatorLease]


@pytest.fixture
def opens(redis_url: str, site: str) -> Iterator[Opens]:
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(AssociatorLease(redis_url, site)))


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as opened:
        yield opened


def test_one_holds_it_and_the_next_has_a_later_term(
    opens: Opens, client: redis.Redis, site: str
) -> None:
    first, second = opens(), opens()
    assert first.acquire() == 1
    assert second.acquire() is None
    assert 0 < client.pttl(lease_key(site)) <= LEASE_S * 1000
    client.delete(lease_key(site))  # it has expired
    assert second.acquire() == 2
    assert first.acquire() is None


def test_acquiring_again_starts_a_new_term(opens: Opens) -> None:
    lease = opens()
    assert [lease.acquire(), lease.acquire()] == [1, 2]


def test_it_is_renewed_during_the_block_and_released_after(
    opens: Opens, client: redis.Redis, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RENEW_S", 0.001)
    first, second = opens(), opens()
    first.acquire()
    client.pexpire(lease_key(site), 1000)
    waiting = threading.Event()
    with first.renewed():
        while client.pttl(lease_key(site)) <= 1000:
            assert not waiting.wait(0.001)
        assert second.acquire() is None
    assert second.acquire() == 2


class CountingLease(AssociatorLease):
    """Counts its renewals in a semaphore."""

    def __init__(self, url: str, site: str) -> None:
        super().__init__(url, site)
        self.renewals = threading.Semaphore(0)

    def _renew(self) -> None:
        try:
            super()._renew()
        finally:
            self.renewals.release()


def test_the_lease_of_another_holder_is_neither_renewed_nor_released(
    redis_url: str, site: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RENEW_S", 0.001)
    with (
        closing(CountingLease(redis_url, site)) as first,
        closing(AssociatorLease(redis_url, site)) as second,
    ):
        first.acquire()
        client.delete(lease_key(site))
        assert second.acquire() == 2
        with first.renewed():
            client.pexpire(lease_key(site), 1000)
            for _ in range(3):
                assert first.renewals.acquire(timeout=600)
            assert client.pttl(lease_key(site)) <= 1000
        assert first.acquire() is None


def test_a_redis_that_refuses_to_write_is_left_to_whoever_commits(
    redis_url: str, site: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RENEW_S", 0.001)
    with closing(CountingLease(redis_url, site)) as lease:
        lease.acquire()
        with ExitStack() as stack:
            stack.callback(client.config_set, "min-replicas-to-write", 0)
            with lease.renewed():
                client.config_set("min-replicas-to-write", 1)
                with pytest.raises(UserError, match="NOREPLICAS"):
                    lease.acquire()
                for _ in range(3):
                    assert lease.renewals.acquire(timeout=600)
        assert client.exists(lease_key(site))
