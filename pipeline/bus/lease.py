"""Names put on keys of a site: held by one at a time, and free again once that one is silent."""

import socket
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import redis

from pipeline.bus.connection import connect, translated
from pipeline.bus.keys import claim_key, lease_key, term_key
from pipeline.errors import UserError
from pipeline.sources.redact import redact

#: Who is silent for this long is replaced.
LEASE_S = 3.0
_BEAT_S = 0.5


class KeyLease:
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


class AssociatorLease(KeyLease):
    """The right to decide, held by at most one at a time.

    Each time that somebody gets it a new term begins, and what an earlier one still sends is
    refused (see `Bus.commit`). So one that was stopped and wakes up can do no harm.
    """

    def __init__(self, url: str, site: str) -> None:
        super().__init__(url, site, [lease_key(site)], uuid.uuid4().hex)

    @translated
    def acquire(self) -> int | None:
        """The number of our term, None while another one holds the lease."""
        if self.take():
            return None
        term: Any = self._redis.incr(term_key(self._site))
        return int(term)


class CameraLease(KeyLease):
    """The cameras of a node, so that no other node follows them too."""

    def __init__(self, url: str, site: str, camera_ids: Sequence[str]) -> None:
        name = f"{uuid.uuid4().hex} {socket.gethostname()}"
        super().__init__(url, site, [], name)
        self._wanted = list(camera_ids)

    def claim(self) -> dict[str, str]:
        """The cameras that other nodes follow and where these run; when there are none, all are
        ours.
        """
        return self.claim_more(self._wanted)

    def claim_more(self, camera_ids: Sequence[str]) -> dict[str, str]:
        """As `claim`, for cameras that come later."""
        cameras = {claim_key(self._site, camera_id): camera_id for camera_id in camera_ids}
        return {
            cameras[key]: name.split(" ", 1)[1] for key, name in self.add(list(cameras)).items()
        }

    def leave(self, camera_ids: Sequence[str]) -> None:
        """These cameras are ours no longer."""
        self.drop([claim_key(self._site, camera_id) for camera_id in camera_ids])
