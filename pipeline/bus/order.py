"""Delivers every message once and in its sender's order, however messages arrive."""

import logging
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from pipeline.bus.entries import Delivery

#: Number of the last processed message of each sender, keyed by ``STREAM:SENDER``.
Numbers: TypeAlias = dict[str, int]

# With this many later messages of one sender waiting, a missing message counts as lost.
_MOST_EARLY = 1000
# No sender is that far ahead: such a message would wait indefinitely.
_FURTHEST = 1_000_000

_log = logging.getLogger(__name__)


class Resequencer:
    """Holds back messages that arrive too early and separates repeated ones.

    ``processed`` holds the number of the last message already processed of each sender.
    """

    def __init__(self, processed: Mapping[str, int]) -> None:
        self._processed: Numbers = dict(processed)
        self._early: dict[str, dict[int, Delivery]] = {}

    def accept(self, deliveries: Iterable[Delivery]) -> tuple[list[Delivery], list[Delivery]]:
        """Split into messages ready to process, in order, and repeated ones to acknowledge only."""
        ready: list[Delivery] = []
        repeated: list[Delivery] = []
        for delivery in deliveries:
            if not delivery.sender:
                ready.append(delivery)
                continue
            sender = sender_of(delivery)
            if is_too_far(delivery.number, self._processed.get(sender, 0)):
                ready.append(delivery.unnumbered(_too_far(self._processed.get(sender, 0))))
                continue
            early = self._early.setdefault(sender, {})
            known = early.get(delivery.number, delivery)
            if (
                delivery.number <= self._processed.get(sender, 0)
                or known.entry_id != delivery.entry_id
            ):
                repeated.append(delivery)
                continue
            early[delivery.number] = delivery
            ready += self._next(sender, early)
        return ready, repeated

    def _next(self, sender: str, early: dict[int, Delivery]) -> list[Delivery]:
        if len(early) > _MOST_EARLY:
            _log.warning(
                "%s: messages %d to %d never arrived; continuing without them",
                sender,
                self._processed.get(sender, 0) + 1,
                min(early) - 1,
            )
            self._processed[sender] = min(early) - 1
        ready = []
        while (number := self._processed.get(sender, 0) + 1) in early:
            ready.append(early.pop(number))
            self._processed[sender] = number
        return ready


def is_too_far(number: int, last: int) -> bool:
    """Whether a message number is implausible after the ``last`` one of its sender."""
    return number > last + _FURTHEST


def _too_far(last: int) -> str:
    return f"expected a number soon after {last}, the last one of its sender"


def sender_of(delivery: Delivery) -> str:
    """The key of a message's sender: the same sender on another stream has another key."""
    return f"{delivery.stream}:{delivery.sender}"


def advance(numbers: Numbers, done: Iterable[Delivery]) -> None:
    """Update ``numbers`` in place with the processed messages."""
    for delivery in done:
        if delivery.sender:
            sender = sender_of(delivery)
            numbers[sender] = max(numbers.get(sender, 0), delivery.number)
