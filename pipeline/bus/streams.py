"""The Redis operations of node, associator and recorder: publish, read, claim, commit."""

import logging
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import redis

from pipeline.bus import entries
from pipeline.bus.connection import connect, translated, warn_of_risks
from pipeline.bus.entries import Delivery, Outgoing
from pipeline.bus.keys import (
    GROUPS,
    cameras_key,
    correct_key,
    corrected_key,
    crops_key,
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
from pipeline.bus.messages import VERSION
from pipeline.errors import UserError
from pipeline.sources.redact import redact

_DEAD_LETTERS = 1000
_PAGE = 1000
#: Seconds for which an answer is kept: long enough for the requester to read it.
ANSWER_S = 600

_NONE: Mapping[str, Any] = MappingProxyType({})

_log = logging.getLogger(__name__)


class FencedError(Exception):
    """A later term has started: nothing was read or written."""


class Bus:
    """One connection to the streams of a site.

    ``address`` is the URL without its password, ``client`` the connection, for use in this
    package only. Every method raises UserError when Redis refuses a command and BusLostError when
    it is unreachable or full; a password never appears in a message.
    """

    def __init__(self, url: str, site: str) -> None:
        self.address = redact(url)
        self.site = site
        self.client = connect(url, site)

    def __enter__(self) -> "Bus":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self.client.close()

    @translated
    def declare(self) -> None:
        """Create the streams, groups and run name of the site where they do not exist yet.

        Raises UserError when another version of fusetrack began the run.
        """
        self.client.set(run_key(self.site), f"{VERSION}.{uuid.uuid4().hex}", nx=True)
        self._check_version()
        for stream, groups in GROUPS.items():
            for group in groups:
                try:
                    self.client.xgroup_create(self._key(stream), group, id="0", mkstream=True)
                except redis.ResponseError as error:
                    if not str(error).startswith("BUSYGROUP"):
                        raise

    def _check_version(self) -> None:
        found: Any = self.client.get(run_key(self.site)) or b""
        version, dot, _ = found.decode(errors="replace").partition(".")
        if version != str(VERSION):
            raise UserError(
                f"the run of site {self.site} in Redis at {self.address} was begun by another "
                f"fusetrack: expected messages of version {VERSION}, got "
                f"{version if dot else 'earlier ones'}. End the run with the version that began "
                "it, or choose another `site`"
            )

    @translated
    def warn_of_risks(self) -> None:
        """Log a warning for each setting of this Redis that may lose messages."""
        warn_of_risks(self.client, self.address)

    @translated
    def ping(self) -> None:
        """Check that Redis answers."""
        self.client.ping()

    @translated
    def probe(self) -> None:
        """Check that Redis accepts writes."""
        self.client.set(probe_key(self.site), "", px=1)

    @translated
    def last_sent(self, camera_id: str) -> bytes | None:
        """The state that `publish` last stored for a camera; None before its first messages."""
        found: Any = self.client.get(sent_key(self.site, camera_id))
        return None if found is None else bytes(found)

    @translated
    def crops(self, camera_id: str) -> dict[str, bytes]:
        """The crops that `publish` stored for a camera and did not remove."""
        found: Any = self.client.hgetall(crops_key(self.site, camera_id))
        return {name.decode(): data for name, data in found.items()}

    @translated
    def publish(
        self,
        camera_id: str,
        messages: Iterable[Outgoing],
        before: bytes | None,
        after: bytes,
        crops: Mapping[str, bytes | None] = _NONE,
    ) -> bool:
        """Append ``messages`` and store the state ``after`` if the stored state is ``before``.

        ``crops`` are stored beside it, or, where they are None, removed. Atomic. Returns whether it
        was done.
        """
        new = {name: data for name, data in crops.items() if data is not None}
        old = [name for name in crops if name not in new]
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
            if new:
                pipe.hset(crops_key(self.site, camera_id), mapping=new)
            if old:
                pipe.hdel(crops_key(self.site, camera_id), *old)
            pipe.sadd(cameras_key(self.site), camera_id)
            try:
                pipe.execute()
            except redis.WatchError:
                return False
        return True

    @translated
    def claim(self, group: str, consumer: str, stream: str) -> list[Delivery]:
        """Take over all pending entries of the group for ``consumer``, oldest first."""
        start, found = "0-0", list[Any]()
        while True:
            answer: Any = self.client.xautoclaim(
                self._key(stream), group, consumer, min_idle_time=0, start_id=start, count=_PAGE
            )
            found += answer[1]
            start = answer[0].decode()
            if start == "0-0":
                break
        # Redis 6.2 gives nil for an entry that was deleted, and keeps it pending.
        present = [entry for entry in found if entry[0] is not None]
        if len(present) < len(found):
            self._acknowledge_deleted(group, stream)
        return [entries.delivery(stream, *entry) for entry in present]

    def _acknowledge_deleted(self, group: str, stream: str) -> None:
        key, count = self._key(stream), 0
        start: Any = "-"
        page: Any
        while page := self.client.xpending_range(key, group, start, "+", _PAGE):
            ids: list[Any] = [entry["message_id"] for entry in page]
            deleted = [
                entry_id for entry_id in ids if not self.client.xrange(key, entry_id, entry_id)
            ]
            if deleted:
                count += int(self.client.xack(key, group, *deleted))
            start = f"({ids[-1].decode()}"
        _log.warning("%s: %d messages were deleted before the %s read them", stream, count, group)

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
        """New messages, at most ``count`` per stream; empty if none comes in ``block_s`` seconds.

        With ``term`` it does not wait, and raises FencedError when a later term has started.
        """
        names = {self._key(stream): stream for stream in streams}
        positions: Any = dict.fromkeys(names, ">")
        answer: Any
        if term is None:
            block = max(int(block_s * 1000), 1)  # 0 would block indefinitely
            answer = self.client.xreadgroup(group, consumer, positions, count, block)
        else:
            # A replaced consumer must not take messages, and a blocking read cannot be fenced.
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
        forgotten_ids: Sequence[int] = (),
        corrected: tuple[str, bytes] | None = None,
        term: int | None = None,
    ) -> None:
        """Store state and output and acknowledge ``done`` in one transaction.

        ``forget`` are fields to delete from the state, ``forgotten_ids`` the requests of
        `forgetting.requested` that are thereby done, ``corrected`` is the entry of a correction
        that was requested and the answer to it. Deliveries with a fault become dead letters.
        Acknowledgements alone also work on a full Redis. Raises FencedError when a term later than
        ``term`` has started.
        """
        done, forgotten = list(done), list(forget)
        dead = [self._dead_letter(group, delivery) for delivery in done if delivery.fault]

        def fill(pipe: Any) -> None:
            if state:
                pipe.hset(state_key(self.site), mapping=state)
            if forgotten:
                pipe.hdel(state_key(self.site), *forgotten)
            if forgotten_ids:
                pipe.srem(forget_key(self.site), *forgotten_ids)
            if corrected is not None:
                entry_id, answer = corrected
                pipe.xdel(correct_key(self.site), entry_id)
                pipe.set(corrected_key(self.site, entry_id), answer, ex=ANSWER_S)
            for message in output:
                pipe.xadd(self._key(message.stream), entries.fields(message))
            for letter in dead:
                pipe.xadd(dead_letter_key(self.site), letter, maxlen=_DEAD_LETTERS)
            for stream, entry_ids in entries.by_stream(done).items():
                pipe.xack(self._key(stream), group, *entry_ids)

        if state or forgotten or output or dead or corrected or term is not None:
            self._in_term(term, fill)
        else:
            pipe = self.client.pipeline(transaction=False)
            fill(pipe)
            pipe.execute()

    @translated
    def state(self) -> dict[str, bytes]:
        """The associator's last committed state."""
        stored: Any = self.client.hgetall(state_key(self.site))
        return {key.decode(): value for key, value in stored.items()}

    @translated
    def lengths(self) -> dict[str, int]:
        """Number of entries of each stream, by its short name."""
        return {stream: int(self.client.xlen(self._key(stream))) for stream in GROUPS}

    @translated
    def dead_letters(self) -> int:
        """Number of dead letters: messages that were invalid."""
        return int(self.client.xlen(dead_letter_key(self.site)))

    @translated
    def memory(self) -> int:
        """Memory used by Redis, in bytes."""
        return int(self.client.info("memory")["used_memory"])

    @translated
    def has_been_read(self, group: str, stream: str) -> bool:
        """Whether any message of the stream was delivered to the group."""
        groups: Any = self.client.xinfo_groups(self._key(stream))
        return any(
            info["name"] == group.encode() and info["last-delivered-id"] != b"0-0"
            for info in groups
        )

    @translated
    def run(self) -> str:
        """The name of the current run of the site, empty when there is none."""
        found: Any = self.client.get(run_key(self.site))
        return "" if found is None else str(found.decode())

    @translated
    def add_part(self, part: str) -> None:
        """Register a running part."""
        self.client.sadd(parts_key(self.site), part)

    @translated
    def remove_part(self, part: str) -> None:
        """Unregister a part that is done and no longer needs the site."""
        self.client.srem(parts_key(self.site), part)

    @translated
    def running_parts(self) -> set[str]:
        """The parts that are running or were killed."""
        found: Any = self.client.smembers(parts_key(self.site))
        return {name.decode() for name in found}

    @translated
    def delete_site(self) -> None:
        """Remove every key of the site."""
        cameras: Any = self.client.smembers(cameras_key(self.site))
        self.client.delete(
            *(self._key(stream) for stream in GROUPS),
            *(
                key(self.site, camera_id.decode())
                for camera_id in cameras
                for key in (sent_key, crops_key)
            ),
            *(
                key(self.site)
                for key in (
                    *(dead_letter_key, state_key, lease_key, term_key),
                    *(cameras_key, parts_key, run_key, forget_key, correct_key),
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
