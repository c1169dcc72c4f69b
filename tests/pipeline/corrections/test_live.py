"""Corrections of a running site, from whoever asks for them; the associator is the test."""

import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from builders import make_run
from pipeline.bus import correcting
from pipeline.bus.keys import ASSOCIATOR
from pipeline.bus.streams import Bus
from pipeline.corrections.check import CorrectionError
from pipeline.corrections.live import correct_live
from pipeline.corrections.request import correct_run
from pipeline.errors import UserError
from pipeline.run_directory.corrections import Corrections, read_corrections, write_corrections
from pipeline.run_directory.progress import RecorderProgress, write_progress
from trackers.association.corrections import Correction

BOX = (0.0, 0.0, 9.0, 9.0)
MERGE = Correction("merge", by="anna", global_id=2, into=1)


@pytest.fixture
def bus(redis_url: str, site: str) -> Iterator[Bus]:
    """The streams of a site."""
    with Bus(redis_url, site) as bus:
        bus.declare()
        yield bus


@pytest.fixture
def run(tmp_path: Path, bus: Bus) -> Path:
    """The run directory of the site, of two people."""
    boxes = [("gate", i, 1, BOX) for i in range(10)] + [("hall", i, 2, BOX) for i in range(20, 40)]
    run = make_run(tmp_path / "run", boxes, {("gate", 1): 1, ("hall", 2): 2})
    write_progress(run, RecorderProgress(bus.run(), site=bus.site, redis=bus.address))
    return run


def answering(bus: Bus, run: Path, *replies: correcting.CorrectionReply) -> threading.Thread:
    """An associator that answers so, and a recorder that writes it down."""

    def work() -> None:
        for reply in replies:
            while not (requests := correcting.requested(bus)):
                pass
            answer = msgspec.json.encode(reply)
            bus.commit(ASSOCIATOR, [], corrected=(requests[0][0], answer))
            if reply.correction is not None:
                write_corrections(run, Corrections((reply.correction,), reply.correction.number))

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_without_an_associator_nothing_is_corrected_and_the_request_is_withdrawn(
    bus: Bus, run: Path
) -> None:
    with pytest.raises(UserError, match=r"no associator .* nothing was corrected"):
        correct_live(bus, run, MERGE, lambda: 9.0, timeout_s=0.1)
    assert correcting.requested(bus) == []


def test_it_is_checked_before_it_is_asked_for(bus: Bus, run: Path) -> None:
    with pytest.raises(CorrectionError, match="unknown identity 9"):
        correct_live(bus, run, Correction("merge", global_id=9, into=1), lambda: 9.0)
    assert correcting.requested(bus) == []


def test_what_was_checked_with_an_older_state_is_checked_again(bus: Bus, run: Path) -> None:
    made = Correction("merge", by="anna", at=9.0, number=1, global_id=2, into=1)
    replies = correcting.CorrectionReply(), correcting.CorrectionReply(made)
    associator = answering(bus, run, *replies)
    assert correct_live(bus, run, MERGE, lambda: 9.0, timeout_s=60.0) == made
    associator.join()
    assert correcting.requested(bus) == []


def test_a_program_finds_the_running_site_by_itself(bus: Bus, run: Path) -> None:
    made = Correction("merge", by="anna", at=9.0, number=1, global_id=2, into=1)
    associator = answering(bus, run, correcting.CorrectionReply(made))
    assert correct_run(run, MERGE, timeout_s=60.0) == made
    associator.join()
    # Once the run has ended it is made in the run directory.
    write_progress(run, RecorderProgress(bus.run(), finished=True, site=bus.site))
    assert correct_run(run, Correction("name", global_id=1, name="Anna")).number == 2
    assert read_corrections(run).last == 2
