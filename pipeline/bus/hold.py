"""Names put on keys of a site: held by one at a time, and free again once that one is silent."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import redis

from pipeline.bus.connection import connect, translated
from pipeline.errors import UserError
from pipeline.sources.redact import redact

#: Who is silent for this long is replaced.
LEASE_S = 3.0
_BEAT_S = 0.5


class Hold:
    """All of ``keys`` under ``name``, or none of them."""

    def __init__(self, url: str, site: str, keys: Sequence[str], name: str) -> None:
        self.place = redact(url)
        self._site = site
        self._keys = list(keys)
        self._name = name
        self._redis = connect(url, site)

    def close(self) -> None:
        """Close the connection."""
        self._redis.close()

    @translated
    def take(self) -> dict[str, str]:
        """The keys that others hold, with their names; when there are none, all are ours."""
        return self._take(self._keys)

    @translated
    def add(self, keys: Sequence[str]) -> dict[str, str]:
        """Hold ``keys`` too, or none of them; returns those that others hold, with their names."""
        others = self._take(keys)
        if not others:
            self._keys = list(dict.fromkeys((*self._keys, *keys)))
        return others

    @translated
    def drop(self, keys: Sequence[str]) -> None:
        """Hold ``keys`` no longer."""
        self._keys = [key for key in self._keys if key not in keys]
        self._give_back(keys)

    def _take(self, keys: Sequence[str]) -> dict[str, str]:
        if not keys:
            return {}
        pipe: Any
        with self._redis.pipeline(transaction=True) as pipe:
            for key in keys:
                pipe.set(key, self._name, nx=True, px=_lease_ms())
            names = pipe.mget(keys).execute()[-1]
        found = {key: name.decode() for key, name in zip(keys, names, strict=True)}
        others = {key: name for key, name in found.items() if name != self._name}
        if others:
            self._give_back(keys)
        return others

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Stay the one who holds them while the block runs, then give them back."""
        done = threading.Event()

        def beat() -> None:
            while not done.wait(_BEAT_S):
                # Whether we still hold them is asked where it counts, with each commit, which also
                # tells of a Redis that fails.
                try:
                    self._prolong()
                except UserError:
                    continue

        beater = threading.Thread(target=beat, name="lease", daemon=True)
        beater.start()
        try:
            yield
        finally:
            done.set()
            beater.join()
            try:
                self._give_back(self._keys)
            except UserError:
                pass  # they expire

    @translated
    def _prolong(self) -> None:
        def prolong(pipe: Any, ours: Sequence[str], free: Sequence[str]) -> None:
            for key in (*ours, *free):
                pipe.set(key, self._name, px=_lease_ms())

        self._change(self._keys, prolong)

    @translated
    def _give_back(self, keys: Sequence[str]) -> None:
        def give_back(pipe: Any, ours: Sequence[str], free: Sequence[str]) -> None:
            if ours:
                pipe.delete(*ours)

        self._change(keys, give_back)

    def _change(
        self, keys: Sequence[str], fill: Callable[[Any, Sequence[str], Sequence[str]], None]
    ) -> None:
        """Do what ``fill`` says about those of ``keys`` that are ours and those that are free."""
        if not keys:
            return
        pipe: Any
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.watch(*keys)
            names = dict(zip(keys, pipe.mget(keys), strict=True))
            pipe.multi()
            ours = [key for key, name in names.items() if name == self._name.encode()]
            fill(pipe, ours, [key for key, name in names.items() if name is None])
            try:
                pipe.execute()
            except redis.WatchError:
                return


def _lease_ms() -> int:
    return int(LEASE_S * 1000)
