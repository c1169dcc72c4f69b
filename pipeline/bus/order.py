"""Every message once and in the order of its sender, however it arrives."""

import logging
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from pipeline.bus.entries import Delivery

#: How far each sender of a stream has come: ``STREAM:SENDER`` and the number of its last message.
Numbers: TypeAlias = dict[str, int]

# So many of one sender after a missing one, and the missing one will not come any more.
_MOST_EARLY = 1000

_log = logging.getLogger(__name__)


class InOrder:
    """Holds back what comes too early and tells what comes again.

    ``taken`` says how far each sender had come before.
    """

    def __init__(self, taken: Mapping[str, int]) -> None:
        self._taken: Numbers = dict(taken)
        self._early: dict[str, dict[int, Delivery]] = {}

    def take(self, deliveries: Iterable[Delivery]) -> tuple[list[Delivery], list[Delivery]]:
        """What is to be worked on, in order, and what came again and needs only a receipt."""
        ready: list[Delivery] = []
        repeated: list[Delivery] = []
        for delivery in deliveries:
            if not delivery.sender:
                ready.append(delivery)
                continue
            sender = sender_of(delivery)
            early = self._early.setdefault(sender, {})
            known = early.get(delivery.number, delivery)
            if delivery.number <= self._taken.get(sender, 0) or known.entry_id != delivery.entry_id:
                repeated.append(delivery)
                continue
            early[delivery.number] = delivery
            ready += self._next(sender, early)
        return ready, repeated

    def _next(self, sender: str, early: dict[int, Delivery]) -> list[Delivery]:
        if len(early) > _MOST_EARLY:
            _log.warning(
                "%s: messages %d to %d never came; going on without them",
                sender,
                self._taken.get(sender, 0) + 1,
                min(early) - 1,
            )
            self._taken[sender] = min(early) - 1
        ready = []
        while (number := self._taken.get(sender, 0) + 1) in early:
            ready.append(early.pop(number))
            self._taken[sender] = number
        return ready


def sender_of(delivery: Delivery) -> str:
    """The sender of a message, told from the same one on another stream."""
    return f"{delivery.stream}:{delivery.sender}"


def advance(numbers: Numbers, done: Iterable[Delivery]) -> None:
    """Note in ``numbers`` what is done."""
    for delivery in done:
        if delivery.sender:
            sender = sender_of(delivery)
            numbers[sender] = max(numbers.get(sender, 0), delivery.number)
