"""Monitor a run from outside: its Redis streams and the memory of its process."""

import contextlib
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import redis

from pipeline.bus import entries
from pipeline.bus.keys import GROUPS, dead_letter_key, stream_key
from pipeline.bus.messages import CameraMessage, IdentityMessage, Message, TrackletMessage

from .record import CameraReport, IdentityEvent, Sample, StreamLog, Track

_BLOCK_MS = 200
_AWAY_S = 0.05
MB = 1e6


class StreamReader(threading.Thread):
    """Reads every message of the run in ``folder`` until ``done``.

    ``pid`` is the process of the run; ``began`` is when it was started, seconds UTC.

    Messages must be read promptly: they are trimmed soon after the recorder has processed them.
    """

    def __init__(self, folder: Path, pid: int, began: float) -> None:
        super().__init__(name="watch", daemon=True)
        self.observed = StreamLog()
        self.done = threading.Event()
        self.began = began
        self._process = psutil.Process(pid)
        self._client = redis.Redis(unix_socket_path=str(folder / "redis" / "redis.sock"))
        self._site = ""
        self._last: dict[str, str] = dict.fromkeys(GROUPS, "0")
        self._numbers: dict[tuple[str, str], int] = {}
        self._known = set[Track]()

    def run(self) -> None:
        while not self.done.is_set():
            try:
                self._read()
            except (redis.RedisError, OSError):
                self.done.wait(_AWAY_S)

    def redis_process(self) -> psutil.Process:
        """The process of the run's Redis."""
        children = self._process.children(recursive=True)
        return next(child for child in children if child.name() == "redis-server")

    def sample(self) -> Sample:
        """Current memory and stream lengths."""
        held = self._process.memory_info()
        sample = Sample(time.time() - self.began, held.rss / MB, (held.rss - held.shared) / MB)
        with contextlib.suppress(psutil.Error, StopIteration):
            server = self.redis_process().memory_info().rss / MB
            sample = replace(sample, server_mb=server)
        with contextlib.suppress(redis.RedisError, OSError):
            used: Any = self._client.info("memory")
            lengths = {stream: self._length(stream_key(self._site, stream)) for stream in GROUPS}
            self.observed.dead = self._length(dead_letter_key(self._site))
            return replace(sample, redis_mb=used["used_memory"] / MB, entries=lengths)
        return sample

    def _length(self, key: str) -> int:
        length: Any = self._client.xlen(key)
        return int(length)

    def _read(self) -> None:
        if not self._site:
            self._find_site()
        keys = {stream_key(self._site, stream): stream for stream in GROUPS}
        places: Any = {key: self._last[stream] for key, stream in keys.items()}
        answer: Any = self._client.xread(places, count=1000, block=_BLOCK_MS)
        for key, batch in answer or []:
            for entry_id, fields in batch:
                self._count(entries.delivery(keys[key.decode()], entry_id, fields))

    def _find_site(self) -> None:
        for key in self._client.scan_iter(match="fusetrack:{*}:tracklets"):
            self._site = key.decode().split("{")[1].split("}")[0]
        if not self._site:
            raise redis.ConnectionError("no site yet")

    def _count(self, delivery: entries.Delivery) -> None:
        place = (delivery.stream, delivery.sender)
        self.observed.messages += 1
        self.observed.missed += delivery.number - self._numbers.get(place, 0) - 1
        self._numbers[place] = delivery.number
        self._last[delivery.stream] = delivery.entry_id
        if delivery.message is not None:
            self._record(delivery.message, int(delivery.entry_id.split("-")[0]) / 1000 - self.began)

    def _record(self, message: Message, at: float) -> None:
        observed = self.observed
        if isinstance(message, CameraMessage):
            now = message.camera
            size = (now.width, now.height)
            end = now.end - self.began
            observed.cameras.append(
                CameraReport(now.camera_id, end, now.frames, now.dropped, size, now.detail)
            )
        elif isinstance(message, TrackletMessage):
            track = (message.camera_id, message.track_id)
            observed.begun.setdefault(track, message.start - self.began)
            if message.closed:
                observed.ended.add(track)
        elif isinstance(message, IdentityMessage):
            track = (message.camera_id, message.track_id)
            start = None if track in self._known else observed.begun.get(track)
            self._known.add(track)
            observed.identities.append(IdentityEvent(at, message.at - self.began, start))
