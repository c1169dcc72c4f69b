"""Who decides for a site: of several associators one, and the next when that one falls silent."""

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import redis

from pipeline.bus.connection import BusLostError, connect, translated
from pipeline.bus.keys import lease_key, term_key
from pipeline.sources.redact import redact

#: Who is silent for this long is replaced.
LEASE_S = 3.0
_BEAT_S = 0.5


class Lease:
    """The right to decide, held by at most one at a time.

    Each time that somebody gets it a new term begins, and what an earlier one still sends is
    refused (see `Bus.commit`). So one that was stopped and wakes up can do no harm.
    """

    def __init__(self, url: str, site: str) -> None:
        self.place = redact(url)
        self._site = site
        self._holder = uuid.uuid4().hex
        self._redis = connect(url)

    def close(self) -> None:
        """Close the connection."""
        self._redis.close()

    @translated
    def acquire(self) -> int | None:
        """The number of our term, None while another one holds the lease."""
        key = lease_key(self._site)
        free = self._redis.set(key, self._holder, nx=True, px=int(LEASE_S * 1000))
        if not free and not self._is_ours():
            return None
        term: Any = self._redis.incr(term_key(self._site))
        return int(term)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Prolong the lease while the block runs, then give it back."""
        done = threading.Event()

        def beat() -> None:
            while not done.wait(_BEAT_S):
                # Whether we still hold it is asked where it counts, with each commit.
                try:
                    self._prolong()
                except BusLostError:
                    continue

        beater = threading.Thread(target=beat, name="lease", daemon=True)
        beater.start()
        try:
            yield
        finally:
            done.set()
            beater.join()
            try:
                self._give_back()
            except BusLostError:
                pass  # it expires

    @translated
    def _prolong(self) -> None:
        self._if_ours(lambda pipe: pipe.pexpire(lease_key(self._site), int(LEASE_S * 1000)))

    @translated
    def _give_back(self) -> None:
        self._if_ours(lambda pipe: pipe.delete(lease_key(self._site)))

    def _if_ours(self, fill: Callable[[Any], object]) -> None:
        pipe: Any
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.watch(lease_key(self._site))
            if pipe.get(lease_key(self._site)) != self._holder.encode():
                return
            pipe.multi()
            fill(pipe)
            try:
                pipe.execute()
            except redis.WatchError:
                return

    def _is_ours(self) -> bool:
        return bool(self._redis.get(lease_key(self._site)) == self._holder.encode())
