"""Who decides for a site: of several associators one, and the next when that one falls silent."""

import uuid
from typing import Any

from pipeline.bus.connection import translated
from pipeline.bus.hold import Hold
from pipeline.bus.keys import lease_key, term_key


class Lease(Hold):
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
