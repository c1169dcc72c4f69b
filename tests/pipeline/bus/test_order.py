import logging
import random

import pytest

from builders import watermark
from pipeline.bus import order
from pipeline.bus.entries import Delivery
from pipeline.bus.keys import OBSERVATIONS, TRACKLETS
from pipeline.bus.order import Resequencer, advance


def sent(number: int, sender: str = "gate", *, place: int = 0, stream: str = TRACKLETS) -> Delivery:
    return Delivery(
        stream, f"{place or number}-0", sender, number, watermark(sender, float(number))
    )


def numbers(deliveries: list[Delivery]) -> list[int]:
    return [delivery.number for delivery in deliveries]


def test_no_messages_give_no_messages() -> None:
    assert Resequencer({}).accept([]) == ([], [])


def test_an_early_message_waits_for_the_missing_ones() -> None:
    order = Resequencer({})
    assert order.accept([sent(3), sent(2)]) == ([], [])
    ready, repeated = order.accept([sent(1)])
    assert (numbers(ready), repeated) == ([1, 2, 3], [])


def test_a_repeated_message_is_recognised_even_while_the_first_waits() -> None:
    order = Resequencer({})
    again = sent(2, place=9)
    assert order.accept([sent(2), again, sent(2)]) == ([], [again])
    assert numbers(order.accept([sent(1)])[0]) == [1, 2]
    assert order.accept([sent(1, place=10), sent(2)])[1] == [sent(1, place=10), sent(2)]


def test_what_was_processed_before_a_restart_is_not_processed_again() -> None:
    ready, repeated = Resequencer({"tracklets:gate": 2}).accept([sent(2), sent(3)])
    assert (numbers(ready), numbers(repeated)) == ([3], [2])


def test_senders_and_streams_do_not_wait_for_each_other() -> None:
    order = Resequencer({})
    assert order.accept([sent(2)])[0] == []
    others = [sent(1, "yard"), sent(1, stream=OBSERVATIONS)]
    assert order.accept(others)[0] == others


def test_a_message_without_a_sender_is_passed_on_at_once() -> None:
    junk = Delivery(TRACKLETS, "5-0", "", 0, None, "expected a sender")
    assert Resequencer({}).accept([junk, junk]) == ([junk, junk], [])


@pytest.mark.parametrize("seed", range(20))
def test_any_order_with_any_repeats_gives_each_once_in_order(seed: int) -> None:
    chance = random.Random(seed)
    arrivals = [sent(number, sender) for sender in ("a", "b") for number in range(1, 30)]
    again = [sent(d.number, d.sender, place=100 + i) for i, d in enumerate(arrivals)]
    arrivals += chance.sample(again, 20)
    chance.shuffle(arrivals)
    order, got, repeated = Resequencer({}), [], []
    for start in range(0, len(arrivals), 7):
        ready, again = order.accept(arrivals[start : start + 7])
        got += ready
        repeated += again
    for sender in ("a", "b"):
        assert numbers([d for d in got if d.sender == sender]) == list(range(1, 30))
    assert len(repeated) == 20


def test_a_lost_message_is_logged_and_skipped(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(order, "_MOST_EARLY", 3)
    early = Resequencer({"tracklets:gate": 4})
    with caplog.at_level(logging.WARNING):
        assert early.accept([sent(7), sent(8), sent(9)]) == ([], [])
        assert caplog.messages == []
        assert numbers(early.accept([sent(11)])[0]) == [7, 8, 9]
    assert caplog.messages == [
        "tracklets:gate: messages 5 to 6 never arrived; continuing without them"
    ]
    assert numbers(early.accept([sent(10), sent(5)])[0]) == [10, 11]


def test_progress_is_kept_by_sender() -> None:
    known = {"tracklets:gate": 5}
    junk = Delivery(TRACKLETS, "5-0", "", 0, None, "expected a sender")
    advance(known, [sent(7), sent(6), sent(1, "yard"), junk])
    assert known == {"tracklets:gate": 7, "tracklets:yard": 1}


def test_a_number_that_nobody_can_have_reached_is_a_fault_and_not_waited_for() -> None:
    order = Resequencer({"tracklets:gate": 2})
    ready, repeated = order.accept([sent(1_000_003), sent(1_000_002), sent(3)])
    assert [(d.sender, d.number, d.message) for d in ready[:1]] == [("", 0, None)]
    assert ready[0].fault == "expected a number soon after 2, the last one of its sender"
    # The furthest one that is believed is waited for.
    assert (ready[1:], repeated) == ([sent(3)], [])
