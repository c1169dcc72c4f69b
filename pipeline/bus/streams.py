"""Publish, read, commit and trim: what node, associator and recorder do with Redis."""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

import redis

from pipeline.bus import entries
from pipeline.bus.connection import connect, translated, warn_of_risks
from pipeline.bus.entries import Delivery, Outgoing
from pipeline.bus.keys import (
    GROUPS,
    cameras_key,
    dead_letter_key,
    forget_key,
    lease_key,
    parts_key,
    probe_key,
    run_key,
    sent_key,
    state_key,
    stream_key,
    term_key,
)
from pipeline.sources.redact import redact

_DEAD_LETTERS = 1000


class FencedError(Exception):
    """Another one has taken over: nothing was read or written."""


class Bus:
    """One connection to the streams of a site.

    ``place`` is the address without its password, ``client`` the connection, for the modules of
    this package. Every method raises UserError when Redis refuses,
    and BusLostError when it is not reachable or full; a password never appears in a message.
    """

    def __init__(self, url: str, site: str) -> None:
        self.place = redact(url)
        self.site = site
        self.client = connect(url, site)

    def __enter__(self) -> "Bus":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self.client.close()

    @translated
    def declare(self) -> None:
        """Make the streams and groups of the site and name its run, where they are not there."""
        self.client.set(run_key(self.site), uuid.uuid4().hex, nx=True)
        for stream, groups in GROUPS.items():
            for group in groups:
                try:
                    self.client.xgroup_create(self._key(stream), group, id="0", mkstream=True)
                except redis.ResponseError as error:
                    if not str(error).startswith("BUSYGROUP"):
                        raise

    @translated
    def warn_of_risks(self) -> None:
        """Say in the log which settings of this Redis may lose messages."""
        warn_of_risks(self.client, self.place)

    @translated
    def ping(self) -> None:
        """Ask whether Redis is there."""
        self.client.ping()

    @translated
    def probe(self) -> None:
        """Ask whether Redis takes something."""
        self.client.set(probe_key(self.site), "", px=1)

    @translated
    def sent(self, camera_id: str) -> bytes | None:
        """What `publish` has remembered of a camera; None before its first messages."""
        found: Any = self.client.get(sent_key(self.site, camera_id))
        return None if found is None else bytes(found)

    @translated
    def publish(
        self, camera_id: str, messages: Iterable[Outgoing], before: bytes | None, after: bytes
    ) -> bool:
        """Append ``messages`` and remember ``after``, if ``before`` is what was remembered.

        All of it happens, or none. Returns whether it did.
        """
        key = sent_key(self.site, camera_id)
        pipe: Any
        with self.client.pipeline(transaction=True) as pipe:
            pipe.watch(key)
            if pipe.get(key) != before:
                return False
            pipe.multi()
            for message in messages:
                pipe.xadd(self._key(message.stream), entries.fields(message))
            pipe.set(key, after)
            pipe.sadd(cameras_key(self.site), camera_id)
            try:
                pipe.execute()
            except redis.WatchError:
                return False
        return True

    @translated
    def claim(self, group: str, consumer: str, stream: str) -> list[Delivery]:
        """What was delivered to the group and never acknowledged: now ours, oldest first."""
        start, deliveries = "0-0", []
        while True:
            answer: Any = self.client.xautoclaim(
                self._key(stream), group, consumer, min_idle_time=0, start_id=start, count=1000
            )
            deliveries += [entries.delivery(stream, *entry) for entry in answer[1]]
            start = answer[0].decode()
            if start == "0-0":
                return deliveries

    @translated
    def read(
        self,
        group: str,
        consumer: str,
        streams: Iterable[str],
        block_s: float,
        count: int = 1000,
        term: int | None = None,
    ) -> list[Delivery]:
        """New messages, at most ``count`` a stream; an empty list after ``block_s`` seconds.

        With ``term`` it does not wait, and raises FencedError when a later term has begun.
        """
        names = {self._key(stream): stream for stream in streams}
        positions: Any = dict.fromkeys(names, ">")
        answer: Any
        if term is None:
            block = max(int(block_s * 1000), 1)  # 0 would be for ever
            answer = self.client.xreadgroup(group, consumer, positions, count, block)
        else:
            # Who was replaced must not take messages with it, so it cannot wait for them.
            (answer,) = self._in_term(
                term, lambda pipe: pipe.xreadgroup(group, consumer, positions, count)
            )
        return entries.deliveries(answer, names)

    @translated
    def commit(
        self,
        group: str,
        done: Iterable[Delivery],
        *,
        output: Sequence[Outgoing] = (),
        state: Mapping[str, bytes] | None = None,
        forget: Iterable[str] = (),
        taken_up: Sequence[int] = (),
        term: int | None = None,
    ) -> None:
        """State, output and acknowledgement in one MULTI: all of it happens, or none.

        ``forget`` are fields of the state, ``taken_up`` the people of `asked_to_forget` who are no
        longer in it. What has a fault is put aside. Acknowledgements alone are taken by a full
        Redis too.
        Raises FencedError when a term later than ``term`` has begun.
        """
        done, forgotten = list(done), list(forget)
        dead = [self._dead_letter(group, delivery) for delivery in done if delivery.fault]

        def fill(pipe: Any) -> None:
            if state:
                pipe.hset(state_key(self.site), mapping=state)
            if forgotten:
                pipe.hdel(state_key(self.site), *forgotten)
            if taken_up:
                pipe.srem(forget_key(self.site), *taken_up)
            for message in output:
                pipe.xadd(self._key(message.stream), entries.fields(message))
            for letter in dead:
                pipe.xadd(dead_letter_key(self.site), letter, maxlen=_DEAD_LETTERS)
            for stream, entry_ids in entries.by_stream(done).items():
                pipe.xack(self._key(stream), group, *entry_ids)

        if state or forgotten or output or dead or term is not None:
            self._in_term(term, fill)
        else:
            pipe = self.client.pipeline(transaction=False)
            fill(pipe)
            pipe.execute()

    @translated
    def state(self) -> dict[str, bytes]:
        """The associator's state as it was last committed."""
        stored: Any = self.client.hgetall(state_key(self.site))
        return {key.decode(): value for key, value in stored.items()}

    @translated
    def lengths(self) -> dict[str, int]:
        """Entries in each stream, by its short name."""
        return {stream: int(self.client.xlen(self._key(stream))) for stream in GROUPS}

    @translated
    def dead_letters(self) -> int:
        """Messages that could not be used and were put aside."""
        return int(self.client.xlen(dead_letter_key(self.site)))

    @translated
    def memory(self) -> int:
        """Bytes that Redis uses."""
        return int(self.client.info("memory")["used_memory"])

    @translated
    def has_been_read(self, group: str, stream: str) -> bool:
        """Whether the group was ever given a message of the stream."""
        groups: Any = self.client.xinfo_groups(self._key(stream))
        return any(
            info["name"] == group.encode() and info["last-delivered-id"] != b"0-0"
            for info in groups
        )

    @translated
    def run(self) -> str:
        """The name of the present run of the site, empty when there is none."""
        found: Any = self.client.get(run_key(self.site))
        return "" if found is None else str(found.decode())

    @translated
    def enter(self, part: str) -> None:
        """Note that a part is at work."""
        self.client.sadd(parts_key(self.site), part)

    @translated
    def leave(self, part: str) -> None:
        """Note that a part is done and needs the site no more."""
        self.client.srem(parts_key(self.site), part)

    @translated
    def parts(self) -> set[str]:
        """The parts that are at work, or died at it."""
        found: Any = self.client.smembers(parts_key(self.site))
        return {name.decode() for name in found}

    @translated
    def delete_site(self) -> None:
        """Remove every key of the site."""
        cameras: Any = self.client.smembers(cameras_key(self.site))
        self.client.delete(
            *(self._key(stream) for stream in GROUPS),
            *(sent_key(self.site, camera_id.decode()) for camera_id in cameras),
            *(
                key(self.site)
                for key in (
                    *(dead_letter_key, state_key, lease_key, term_key),
                    *(cameras_key, parts_key, run_key, forget_key),
                )
            ),
        )

    @translated
    def _in_term(self, term: int | None, fill: Callable[[Any], object]) -> list[Any]:
        key = term_key(self.site)
        pipe: Any
        with self.client.pipeline(transaction=True) as pipe:
            if term is not None:
                pipe.watch(key)
                if int(pipe.get(key) or 0) != term:
                    raise FencedError
                pipe.multi()
            fill(pipe)
            return list(pipe.execute())

    def _key(self, stream: str) -> str:
        return stream_key(self.site, stream)

    def _dead_letter(self, group: str, delivery: Delivery) -> dict[Any, Any]:
        found: Any = self.client.xrange(
            self._key(delivery.stream), delivery.entry_id, delivery.entry_id
        )
        origin = {"stream": delivery.stream, "group": group, "reason": delivery.fault}
        return {**(found[0][1] if found else {}), **origin}
