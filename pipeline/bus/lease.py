"""Leases on keys of a site: one holder at a time, expiring when the holder is silent."""

import math
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import redis

from pipeline.background import in_background
from pipeline.bus.connection import connect, translated
from pipeline.bus.keys import claim_key, lease_key, term_key
from pipeline.errors import UserError
from pipeline.sources.redact import redact

#: A holder that is silent for this many seconds loses its lease.
LEASE_S = 3.0
_RENEW_S = 0.5
# A lease that is renewed by a loop lasts for several of the loop's slow steps ...
_SLOW_STEPS = 3.0
# ... which are forgotten by this share with each call ...
_FORGET = 0.998
# ... and are never taken to be longer than this.
_SLOWEST_S = 60.0
# One step may take this long, if it is known to be slow.
_SLOW_STEP_S = 600.0


class KeyLease:
    """A lease of the holder ``name`` on all of ``keys`` or none of them."""

    def __init__(
        self,
        url: str,
        site: str,
        keys: Sequence[str],
        name: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.address = redact(url)
        self._clock = clock
        self._site = site
        self._keys = list(keys)
        self._name = name
        self._redis = connect(url, site)

    def close(self) -> None:
        """Close the connection."""
        self._redis.close()

    @translated
    def acquire_keys(self) -> dict[str, str]:
        """Acquire all keys or none; returns those held by others with their holders."""
        return self._acquire(self._keys)

    @translated
    def acquire_more(self, keys: Sequence[str]) -> dict[str, str]:
        """Acquire further ``keys`` or none; returns those held by others with their holders."""
        others = self._acquire(keys)
        if not others:
            self._keys = list(dict.fromkeys((*self._keys, *keys)))
        return others

    @translated
    def release_keys(self, keys: Sequence[str]) -> None:
        """Release ``keys``."""
        self._keys = [key for key in self._keys if key not in keys]
        self._release(keys)

    def _acquire(self, keys: Sequence[str]) -> dict[str, str]:
        if not keys:
            return {}
        pipe: Any
        with self._redis.pipeline(transaction=True) as pipe:
            for key in keys:
                pipe.set(key, self._name, nx=True, px=int(LEASE_S * 1000))
            names = pipe.mget(keys).execute()[-1]
        found = {key: name.decode() for key, name in zip(keys, names, strict=True)}
        others = {key: name for key, name in found.items() if name != self._name}
        if others:
            self._release(keys)
        return others

    @contextmanager
    def renewed(self) -> Iterator[None]:
        """Renew the lease while the block runs, then release it."""

        try:
            with in_background("lease", self._renew_until):
                yield
        finally:
            self._release_or_expire()

    def _renew_until(self, done: threading.Event, end: float = math.inf) -> None:
        while not done.wait(_RENEW_S) and self._clock() < end:
            # Each commit checks that the lease is still held, and reports a failing Redis.
            with suppress(UserError):
                self._renew()

    def _release_or_expire(self) -> None:
        try:
            self._release(self._keys)
        except UserError:
            pass  # they expire

    @translated
    def _renew(self, lease_s: float = LEASE_S) -> None:
        def renew(pipe: Any, ours: Sequence[str], free: Sequence[str]) -> None:
            for key in (*ours, *free):
                pipe.set(key, self._name, px=int(lease_s * 1000))

        self._change(self._keys, renew)

    @translated
    def _release(self, keys: Sequence[str]) -> None:
        def release(pipe: Any, ours: Sequence[str], free: Sequence[str]) -> None:
            if ours:
                pipe.delete(*ours)

        self._change(keys, release)

    def _change(
        self, keys: Sequence[str], fill: Callable[[Any, Sequence[str], Sequence[str]], None]
    ) -> None:
        """Run ``fill`` in a transaction with those of ``keys`` that are ours and that are free."""
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


class AssociatorLease(KeyLease):
    """The lease of the active associator.

    Each acquisition starts a new term, and commits of earlier terms are refused (see
    `Bus.commit`). An associator that was suspended and resumes therefore does no harm. The loop
    that decides renews the lease, so that one that hangs loses it. ``clock`` returns monotonic
    seconds.
    """

    def __init__(self, url: str, site: str, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(url, site, [lease_key(site)], uuid.uuid4().hex, clock)
        self._called_at = self._renewed_at = clock()
        self._slowest_s = 0.0

    @translated
    def acquire(self) -> int | None:
        """Acquire the lease; returns the number of the new term, None while another holds it."""
        if self.acquire_keys():
            return None
        self._called_at = self._renewed_at = self._clock()
        term: Any = self._redis.incr(term_key(self._site))
        return int(term)

    def renew(self) -> None:
        """Renew it if that is due; the loop calls this at each step.

        Where steps are slow the lease lasts longer, so that two associators of a busy site do not
        take it from each other indefinitely. Raises UserError.
        """
        now = self._clock()
        step_s = min(now - self._called_at, _SLOWEST_S)
        self._slowest_s = max(step_s, _FORGET * self._slowest_s)
        self._called_at = now
        if now - self._renewed_at >= _RENEW_S:
            self._renew(max(LEASE_S, _SLOW_STEPS * self._slowest_s))
            self._renewed_at = now

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Renew it while the block runs, a step known to be slow, for ten minutes at most."""
        end = self._clock() + _SLOW_STEP_S
        with in_background("lease", lambda done: self._renew_until(done, end)):
            yield

    @contextmanager
    def held(self) -> Iterator[None]:
        """Release it after the block."""
        try:
            yield
        finally:
            self._release_or_expire()


class CameraLease(KeyLease):
    """The lease of a node on its cameras, so that no two nodes run the same camera."""

    def __init__(self, url: str, site: str, camera_ids: Sequence[str]) -> None:
        name = f"{uuid.uuid4().hex} {socket.gethostname()}"
        super().__init__(url, site, [], name)
        self._wanted = list(camera_ids)

    def claim(self) -> dict[str, str]:
        """Claim all cameras or none; returns the cameras of other nodes with their host names."""
        return self.claim_more(self._wanted)

    def claim_more(self, camera_ids: Sequence[str]) -> dict[str, str]:
        """As `claim`, for cameras added later."""
        cameras = {claim_key(self._site, camera_id): camera_id for camera_id in camera_ids}
        return {
            cameras[key]: name.split(" ", 1)[1]
            for key, name in self.acquire_more(list(cameras)).items()
        }

    def release(self, camera_ids: Sequence[str]) -> None:
        """Release these cameras."""
        self.release_keys([claim_key(self._site, camera_id) for camera_id in camera_ids])
