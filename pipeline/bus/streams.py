"""Publish, read, commit and trim: what node, associator and recorder do with Redis."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import msgspec
import redis

from pipeline.bus.connection import connect, translated
from pipeline.bus.keys import GROUPS, dead_letter_key, state_key, stream_key
from pipeline.bus.messages import VERSION, Message, decode, encode, message_name
from pipeline.sources.redact import redact

# A stream longer than this makes its producer wait until the readers have caught up.
_MAX_LENGTH = 20_000
_FULL_POLL_S = 0.05
_TRIM_EVERY = 64


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message with its place: the stream's short name and the entry id that Redis gave it."""

    stream: str
    entry_id: str
    message: Message


class Bus:
    """One connection to the streams of a site.

    ``place`` is the address without its password. Every method raises UserError when Redis is not
    reachable or refuses; a password never appears in a message.
    """

    def __init__(self, url: str, site: str) -> None:
        self.place = redact(url)
        self._site = site
        self._commits = 0
        self._redis = connect(url)

    def __enter__(self) -> "Bus":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._redis.close()

    @translated
    def declare(self) -> None:
        """Make the streams and groups of the site, where they are not there yet."""
        for stream, groups in GROUPS.items():
            for group in groups:
                try:
                    self._redis.xgroup_create(self._key(stream), group, id="0", mkstream=True)
                except redis.ResponseError as error:
                    if not str(error).startswith("BUSYGROUP"):
                        raise

    @translated
    def publish(
        self, stream: str, messages: Sequence[Message], stop: threading.Event | None = None
    ) -> None:
        """Append ``messages``. Waits while the readers are far behind, unless ``stop`` is set."""
        if not messages:
            return
        key = self._key(stream)
        pipe = self._redis.pipeline(transaction=False)
        for message in messages:
            pipe.xadd(key, _fields(message))
        pipe.xlen(key)
        if pipe.execute()[-1] <= _MAX_LENGTH:
            return
        waiter = stop or threading.Event()
        while self._is_far_behind(stream) and not waiter.wait(_FULL_POLL_S):
            pass

    @translated
    def claim(self, group: str, consumer: str, stream: str) -> list[Delivery]:
        """What was delivered to the group and never acknowledged: now ours, oldest first."""
        start, deliveries = "0-0", []
        while True:
            answer: Any = self._redis.xautoclaim(
                self._key(stream), group, consumer, min_idle_time=0, start_id=start, count=1000
            )
            deliveries += self._decode(group, stream, answer[1])
            start = answer[0].decode()
            if start == "0-0":
                return deliveries

    @translated
    def read(
        self, group: str, consumer: str, streams: Iterable[str], block_s: float, count: int = 1000
    ) -> list[Delivery]:
        """New messages, at most ``count`` a stream; an empty list after ``block_s`` seconds."""
        names = {self._key(stream): stream for stream in streams}
        answer: Any = self._redis.xreadgroup(
            group,
            consumer,
            dict.fromkeys(names, ">"),
            count=count,
            block=max(int(block_s * 1000), 1),  # 0 would be for ever
        )
        deliveries: list[Delivery] = []
        for key, entries in _pairs(answer):
            deliveries += self._decode(group, names[key.decode()], entries)
        return deliveries

    @translated
    def commit(
        self,
        group: str,
        done: Iterable[Delivery],
        *,
        output: Sequence[tuple[str, Message]] = (),
        state: Mapping[str, bytes] | None = None,
        forget: Iterable[str] = (),
    ) -> None:
        """State, output and acknowledgement in one MULTI: all of it happens, or none."""
        acknowledged: dict[str, list[str]] = {}
        for delivery in done:
            acknowledged.setdefault(delivery.stream, []).append(delivery.entry_id)
        forgotten = list(forget)
        pipe = self._redis.pipeline(transaction=True)
        if state:
            pipe.hset(state_key(self._site), mapping={key: value for key, value in state.items()})
        if forgotten:
            pipe.hdel(state_key(self._site), *forgotten)
        for stream, message in output:
            pipe.xadd(self._key(stream), _fields(message))
        for stream, entry_ids in acknowledged.items():
            pipe.xack(self._key(stream), group, *entry_ids)
        pipe.execute()
        self._commits += 1
        if self._commits % _TRIM_EVERY == 0:
            self.trim()

    @translated
    def state(self) -> dict[str, bytes]:
        """The associator's state as it was last committed."""
        stored: Any = self._redis.hgetall(state_key(self._site))
        return {key.decode(): value for key, value in stored.items()}

    @translated
    def trim(self) -> None:
        """Drop the entries that every group of a stream has acknowledged."""
        # At one moment: what is delivered between two questions would look acknowledged.
        pipe = self._redis.pipeline(transaction=True)
        for stream, groups in GROUPS.items():
            pipe.xinfo_groups(self._key(stream))
            for group in groups:
                pipe.xpending(self._key(stream), group)
        answers = iter(pipe.execute())
        for stream, groups in GROUPS.items():
            known = {info["name"].decode(): info for info in next(answers)}
            floors = [_unacknowledged_from(known[group], next(answers)) for group in groups]
            self._redis.xtrim(self._key(stream), minid=_entry_id(min(floors)), approximate=False)

    @translated
    def lengths(self) -> dict[str, int]:
        """Entries in each stream, by its short name."""
        return {stream: int(self._redis.xlen(self._key(stream))) for stream in GROUPS}

    @translated
    def delete_site(self) -> None:
        """Remove every key of the site."""
        keys = [self._key(stream) for stream in GROUPS]
        self._redis.delete(*keys, dead_letter_key(self._site), state_key(self._site))

    def _key(self, stream: str) -> str:
        return stream_key(self._site, stream)

    def _decode(self, group: str, stream: str, entries: Any) -> list[Delivery]:
        deliveries = []
        for entry_id, fields in entries:
            try:
                message = _message(fields)
            except (msgspec.DecodeError, ValueError) as error:
                self._bury(group, stream, entry_id, fields, str(error))
                continue
            deliveries.append(Delivery(stream, entry_id.decode(), message))
        return deliveries

    def _bury(self, group: str, stream: str, entry_id: bytes, fields: Any, reason: str) -> None:
        origin: dict[Any, Any] = {"stream": stream, "group": group, "reason": reason}
        pipe = self._redis.pipeline(transaction=True)
        pipe.xadd(dead_letter_key(self._site), {**fields, **origin}, maxlen=1000)
        pipe.xack(self._key(stream), group, entry_id)
        pipe.execute()

    def _is_far_behind(self, stream: str) -> bool:
        """Whether a stream is full and a reader has not even seen all of it.

        What a reader has seen and holds back, until it knows more, must not stop the producer:
        that may be who knows more.
        """
        self.trim()
        info: Any = self._redis.xinfo_stream(self._key(stream))
        groups: Any = self._redis.xinfo_groups(self._key(stream))
        last = info["last-generated-id"]
        unseen = any(group["last-delivered-id"] != last for group in groups)
        return info["length"] > _MAX_LENGTH and unseen


def _unacknowledged_from(group: Any, pending: Any) -> tuple[int, int]:
    if pending["pending"]:
        return _parts(pending["min"])
    milliseconds, sequence = _parts(group["last-delivered-id"])
    return milliseconds, sequence + 1


def _fields(message: Message) -> dict[Any, Any]:
    return {"name": message_name(message), "version": VERSION, "message": encode(message)}


def _message(fields: Any) -> Message:
    version = fields.get(b"version", b"none").decode(errors="replace")
    if version != str(VERSION):
        raise ValueError(f"expected version {VERSION}, got {version}")
    return decode(fields.get(b"message", b""))


def _pairs(answer: Any) -> Iterable[tuple[bytes, Any]]:
    # redis-py gives a list of pairs over RESP2 and a mapping over RESP3.
    if isinstance(answer, dict):
        return [(key, batch) for key, batches in answer.items() for batch in batches]
    return answer or []


def _parts(entry_id: bytes) -> tuple[int, int]:
    milliseconds, sequence = entry_id.decode().split("-")
    return int(milliseconds), int(sequence)


def _entry_id(parts: tuple[int, int]) -> str:
    return f"{parts[0]}-{parts[1]}"
