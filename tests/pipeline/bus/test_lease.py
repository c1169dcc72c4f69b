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


class Ticks:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_loop_renews_it_and_a_loop_that_hangs_loses_it(
    redis_url: str, site: str, opens: Opens, client: redis.Redis
) -> None:
    clock, second = Ticks(), opens()
    with closing(AssociatorLease(redis_url, site, clock)) as first, first.held():
        assert first.acquire() == 1
        client.pexpire(lease_key(site), 1000)
        first.renew()
        assert client.pttl(lease_key(site)) <= 1000  # not due yet
        clock.now += 0.5
        first.renew()
        assert 1000 < client.pttl(lease_key(site))
        # Nothing else renews it.
        client.pexpire(lease_key(site), 1)
        while client.exists(lease_key(site)):
            pass
        assert second.acquire() == 2
        clock.now += 0.5
        first.renew()
        assert first.acquire() is None
    assert second.acquire() == 3


def test_where_steps_are_slow_it_lasts_longer_for_a_while(
    redis_url: str, site: str, client: redis.Redis
) -> None:
    clock = Ticks()
    with closing(AssociatorLease(redis_url, site, clock)) as lease:
        lease.acquire()
        clock.now += 10.0
        lease.renew()
        assert 20 < client.pttl(lease_key(site)) / 1000 <= 30
        for _ in range(5000):
            clock.now += 0.01
            lease.renew()
        assert client.pttl(lease_key(site)) / 1000 <= LEASE_S


def test_a_slow_step_keeps_it_for_ten_minutes_at_most(
    redis_url: str, site: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.bus.lease._RENEW_S", 0.001)
    clock = Ticks()
    with closing(AssociatorLease(redis_url, site, clock)) as lease:
        lease.acquire()
        with lease.kept():
            client.pexpire(lease_key(site), 1000)
            while client.pttl(lease_key(site)) <= 1000:
                pass
            clock.now += 600.0
            while any(thread.name == "lease" for thread in threading.enumerate()):
                pass
        assert client.exists(lease_key(site))  # it is not released after
