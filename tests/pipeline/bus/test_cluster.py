"""A site in a real Redis Cluster: three masters and their replicas on loopback."""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis
from redis.crc import key_slot

from builders import watermark
from command_line import recorded_walk
from pipeline.bus import backpressure
from pipeline.bus.connection import Retry
from pipeline.bus.keys import ASSOCIATOR, TRACKLETS, run_key
from pipeline.bus.lease import AssociatorLease
from pipeline.bus.outbox import Outbox
from pipeline.bus.streams import Bus
from pipeline.config.load import check_config
from pipeline.errors import UserError
from pipeline.runtime.run import run_site
from pipeline.runtime.site_options import with_options
from redis_servers import SLOTS, Server, redis_cluster, until

# A replica gives up a failover after five seconds.
_FAIL_OVER_S = 6.0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    with redis_cluster(tmp_path_factory.mktemp("cluster")) as servers:
        yield servers


def holder(site: str) -> int:
    """The number of the master whose slot it is, as it was at the start."""
    return key_slot(run_key(site).encode()) * 3 // SLOTS


@pytest.mark.parametrize("asked", range(6))
def test_any_node_leads_to_the_master_of_the_site(
    cluster: list[Server], site: str, asked: int
) -> None:
    with (
        Bus(cluster[asked].url, site) as bus,
        closing(AssociatorLease(cluster[asked].url, site)) as lease,
    ):
        bus.declare()
        term = lease.acquire()
        outbox = Outbox(bus, "gate", live=True)
        outbox.send([(TRACKLETS, watermark("gate", at)) for at in (1.0, 2.0)])
        found = bus.read(ASSOCIATOR, "1", [TRACKLETS], 1.0, term=term)
        assert [d.message for d in found] == [watermark("gate", at) for at in (1.0, 2.0)]
        bus.commit(ASSOCIATOR, found, state={"meta": b"x"}, term=term)
        assert bus.state() == {"meta": b"x"}
        backpressure.trim(bus)
        backpressure.wait_for_capacity(bus, threading.Event())
        with cluster[holder(site)].client() as client:
            assert len(client.keys(f"*{site}*")) > 3
        bus.delete_site()
        with cluster[holder(site)].client() as client:
            assert client.keys(f"*{site}*") == []


def test_a_run_gives_the_same_result_as_without_a_cluster(
    cluster: list[Server], tmp_path: Path
) -> None:
    source = str(recorded_walk(tmp_path / "walk.parquet", frames=60))
    rows = [
        run_site(
            with_options(check_config({"redis": url}, "the test"), [source], {}), tmp_path / name
        ).trajectories()
        for name, url in (("alone", None), ("cluster", cluster[4].url))
    ]
    assert rows[0].equals(rows[1])
    assert len(rows[0]) == 120


def sent_and_read(
    url: str, site: str, disturb: threading.Event, done: threading.Event
) -> list[int]:
    """The numbers that arrive of a camera that sends until ``done``, a reader beside it."""
    retry = Retry(threading.Event(), time.monotonic)
    with Bus(url, site) as bus:
        bus.declare()
        outbox = Outbox(bus, "gate", live=True)
        sent = 0
        while sent < 300 or not done.is_set():
            sent += 1
            message = watermark("gate", float(sent))
            retry.call(lambda m=message: outbox.send([(TRACKLETS, m)]))
            if sent == 100:
                disturb.set()
        arrived: list[int] = []
        while found := bus.read(ASSOCIATOR, "1", [TRACKLETS], 0.1):
            arrived += [delivery.number for delivery in found]
            bus.commit(ASSOCIATOR, found)
    assert arrived[-1] == sent
    assert retry.waits > 0  # the connection was lost, as it must be
    return arrived


def fail_over(replica: redis.Redis) -> None:
    """Ask ``replica`` to become the master; a busy server may miss its time and is asked again."""
    asked = -math.inf

    def done() -> bool:
        nonlocal asked
        if not is_master(replica) and time.monotonic() > asked + _FAIL_OVER_S:
            replica.execute_command("CLUSTER", "FAILOVER")
            asked = time.monotonic()
        return is_master(replica)

    until(done)


def is_master(server: redis.Redis) -> bool:
    """Whether it is one now."""
    return str(server.info("replication")["role"]) == "master"


@pytest.mark.parametrize("kind", ["planned", "killed"])
def test_a_new_master_is_followed_and_nothing_is_lost(tmp_path: Path, site: str, kind: str) -> None:
    """It is killed only once the replica has everything: Redis replicates a moment later."""
    with redis_cluster(tmp_path) as cluster:
        old, new = cluster[holder(site)], cluster[holder(site) + 3]
        disturb, done = threading.Event(), threading.Event()
        numbers: list[int] = []
        sender = threading.Thread(
            target=lambda: numbers.extend(sent_and_read(old.url, site, disturb, done))
        )
        sender.start()
        assert disturb.wait(30)
        with new.client() as client, old.client() as other:
            if kind == "planned":
                fail_over(client)
            else:
                other.execute_command("CLIENT", "PAUSE", 60_000, "WRITE")
                until(
                    lambda: (
                        client.info("replication")["slave_repl_offset"]
                        >= other.info("replication")["master_repl_offset"]
                    )
                )
                old.process.kill()
            until(lambda: is_master(client))
        done.set()
        sender.join(60)
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 300


def test_a_database_number_that_a_cluster_lacks_is_named(cluster: list[Server], site: str) -> None:
    with pytest.raises(UserError, match="SELECT is not allowed in cluster mode"):
        Bus(cluster[0].url.replace("/0", "/1"), site)
