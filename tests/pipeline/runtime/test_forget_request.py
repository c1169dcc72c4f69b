"""A running site forgets a person: a real Redis, associator and recorder in threads."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import redis
from msgspec.structs import replace

from builders import camera_sent, observations_sent, tracklet_sent, watermark
from builders_trackers import make_calibration, make_rules
from buses import send
from pipeline.associator.associator import AssociatorService
from pipeline.bus import entries, forgetting
from pipeline.bus.entries import Delivery
from pipeline.bus.keys import ASSOCIATOR, OBSERVATIONS, RECORDER, TRACKLETS, dead_letter_key
from pipeline.bus.messages import ForgetMessage, Message, TrackletMessage, pack
from pipeline.bus.streams import Bus
from pipeline.errors import UserError
from pipeline.recorder.forget import forget_recorded
from pipeline.recorder.recorder import Recorder
from pipeline.run_directory.durable import exclusive_writer
from pipeline.run_directory.progress import RecorderProgress, read_progress, write_progress
from pipeline.run_directory.reader import RunDirectory
from pipeline.runtime.forget_request import SiteAddress, ask_associator, ask_site, forget_person
from trackers.association.ground_association import GroundAssociation

# Embeddings of two people, with values that occur nowhere else.
RED, BLUE = (0.8, 0.6), (-0.6, 0.8)
# The embedding of the red person after being forgotten.
LATER = (0.96, 0.28)
RED_BYTES = np.array(RED, np.float16).tobytes()
ANSWER_S = 30.0


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.yaml").write_text("site: test\n")
    return folder


@pytest.fixture
def bus(redis_url: str, site: str) -> Iterator[Bus]:
    with Bus(redis_url, site) as bus:
        bus.declare()
        yield bus
        bus.delete_site()


def associator_of(bus: Bus) -> AssociatorService:
    rules = make_rules(calibration=make_calibration(20.0, 0.5))
    return AssociatorService(bus, GroundAssociation(rules, {}), ["gate"])


@contextmanager
def working(*works: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run each of ``works`` in a thread during the block; re-raises their exceptions."""
    stop, faults = threading.Event(), []

    def guarded(work: Callable[[threading.Event], None]) -> None:
        try:
            work(stop)
        # Re-raised below.
        except Exception as error:  # noqa: BLE001
            faults.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    if faults:
        raise faults[0]


@contextmanager
def running_site(redis_url: str, site: str, run: Path) -> Iterator[None]:
    with Bus(redis_url, site) as one, Bus(redis_url, site) as two:
        recorder = Recorder(two, run, 0.05, iter(range(10**9)).__next__)
        with exclusive_writer(run), working(associator_of(one).run, recorder.run):
            yield


def wait_for(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(12_000):
        if condition():
            return
        pause.wait(0.05)
    raise AssertionError("the condition never became true")


def begin(bus: Bus) -> None:
    """Until 4 s: the red person is track 1, still open, the blue person track 2, closed."""
    for at in (1.0, 2.0, 3.0, 4.0):
        messages: list[Message] = [
            tracklet_sent("gate", 1, 0.2, at, look=RED),
            tracklet_sent("gate", 2, 0.2, at, look=BLUE, closed=at == 4),
            watermark("gate", at),
        ]
        first = round(at * 10) - 10
        seen = range(first, first + 10)
        send(
            bus,
            OBSERVATIONS,
            [
                observations_sent("gate", list(seen), 1),
                observations_sent("gate", list(seen), 2),
                camera_sent("gate", round(at * 10)),
            ],
        )
        send(bus, TRACKLETS, messages)


def red_again(at: float) -> TrackletMessage:
    """Track 1 with one exemplar from before it was forgotten and one from after."""
    times = np.array([0.2, at - 0.2])
    return replace(
        tracklet_sent("gate", 1, 0.2, at, closed=at == 7),
        exemplars=pack(np.array([RED, LATER], np.float16)),
        qualities=pack(np.array([0.5, 0.5], np.float32)),
        exemplar_times=pack(times),
        thumbnail="thumbnails/gate/1.jpg",
    )


def continue_story(bus: Bus) -> None:
    """The red person continues until 7 s as track 1 and returns as track 3 until 9 s."""
    send(bus, OBSERVATIONS, [observations_sent("gate", [38, 39, 40, 41, 60], 1)])
    for at in (5.0, 6.0, 7.0):
        send(bus, TRACKLETS, [red_again(at), watermark("gate", at)])
    send(bus, OBSERVATIONS, [observations_sent("gate", [80], 3), camera_sent("gate", 90)])
    for at in (8.0, 9.0):
        again = tracklet_sent("gate", 3, 7.5, at, look=RED, closed=at == 9)
        send(bus, TRACKLETS, [again, watermark("gate", at)])


def owners(run: Path) -> dict[int, int]:
    found = RunDirectory(run).identities()
    return dict(zip(found["track_id"], found["global_id"], strict=True))


def in_redis(client: redis.Redis, site: str) -> set[str]:
    """The keys of the site that contain the red embedding."""
    found = set()
    for key in client.scan_iter(f"fusetrack:{{{site}}}:*"):
        if RED_BYTES in client.dump(key):
            found.add(key.decode().rsplit(":", 1)[1])
    return found


def test_a_forgotten_person_is_removed_everywhere_and_returns_with_a_new_id(
    redis_url: str, site: str, bus: Bus, run: Path
) -> None:
    (run / "thumbnails" / "gate").mkdir(parents=True)
    (run / "thumbnails" / "gate" / "1.jpg").write_bytes(b"a face")
    with redis.Redis.from_url(redis_url) as client, running_site(redis_url, site, run):
        begin(bus)
        wait_for(lambda: owners(run).keys() >= {1, 2})
        wait_for(lambda: RunDirectory(run).observations().height == 80)
        red, blue = owners(run)[1], owners(run)[2]
        assert red != blue
        removed = ask_site(bus, red, ANSWER_S)
        assert removed["observations"] == 40
        assert removed["identity events"] >= 1
        assert removed["thumbnails"] == 1
        assert owners(run) == {2: blue}
        assert set(RunDirectory(run).observations()["track_id"]) == {2}
        wait_for(lambda: bus.lengths()[TRACKLETS] == 0)
        # Only the node still has the open track.
        assert in_redis(client, site) == set()
        # The node writes the thumbnail of a track when it closes.
        (run / "thumbnails" / "gate" / "1.jpg").write_bytes(b"a face")
        continue_story(bus)
        wait_for(lambda: RunDirectory(run).tracklets().height == 3)
        wait_for(lambda: owners(run).keys() >= {1, 2, 3})
        wait_for(lambda: set(RunDirectory(run).observations()["track_id"]) == {1, 2, 3})
    new = owners(run)
    assert red not in new.values()
    assert new[2] == blue
    assert blue not in (new[1], new[3])
    late = RunDirectory(run).observations().filter(track_id=1)
    assert late["frame_index"].to_list() == [41, 60]
    tracklets = {
        row["track_id"]: row for row in RunDirectory(run).tracklets().iter_rows(named=True)
    }
    assert tracklets[1]["embedding"] == pytest.approx(LATER, abs=1e-3)
    assert (tracklets[1]["start"], tracklets[1]["thumbnail"]) == (6.9, None)
    assert not any("jpg" in str(path) for path in run.rglob("*"))
    assert red not in set(RunDirectory(run).events()["global_id"])


def test_a_restarted_associator_remembers_forgotten_tracks(
    redis_url: str, site: str, bus: Bus, run: Path
) -> None:
    with running_site(redis_url, site, run):
        begin(bus)
        wait_for(lambda: 1 in owners(run))
        red = owners(run)[1]
        ask_site(bus, red, ANSWER_S)
    assert read_progress(run).forgotten[0].track_id == 1
    with running_site(redis_url, site, run):
        continue_story(bus)
        wait_for(lambda: owners(run).keys() >= {1, 3})
    assert red not in owners(run).values()
    assert 39 not in RunDirectory(run).observations().filter(track_id=1)["frame_index"].to_list()


def test_an_unknown_identity_is_reported(redis_url: str, site: str, bus: Bus, run: Path) -> None:
    with running_site(redis_url, site, run):
        begin(bus)
        wait_for(lambda: 1 in owners(run))
        with pytest.raises(UserError, match="has no identity 99"):
            ask_site(bus, 99, ANSWER_S)
        red = owners(run)[1]
        ask_site(bus, red, ANSWER_S)
        with pytest.raises(UserError, match=f"has no identity {red}"):
            ask_site(bus, red, ANSWER_S)


@pytest.mark.parametrize("part", ["associator", "recorder"])
def test_a_part_that_does_not_answer_is_named(
    redis_url: str, site: str, bus: Bus, run: Path, part: str
) -> None:
    clock = iter(range(100)).__next__
    with Bus(redis_url, site) as other:
        works = [] if part == "associator" else [associator_of(other).run]
        with working(*works):
            if works:
                forgetting.request(bus, 7)
                wait_for(lambda: not forgetting.requested(bus))
                works_clock = iter(range(100)).__next__
                with pytest.raises(UserError, match=r"no recorder .* answered within 20 s"):
                    ask_site(bus, 7, 20.0, works_clock)
                return
            with pytest.raises(UserError, match=r"no associator .* answered within 1 s"):
                ask_site(bus, 7, 1.0, clock)
    assert forgetting.requested(bus) == [7]


def test_without_a_recorder_the_folder_is_changed_and_the_associator_notified(
    redis_url: str, site: str, bus: Bus, run: Path
) -> None:
    write_progress(run, RecorderProgress(bus.run(), site=site, redis=redis_url))
    with running_site(redis_url, site, run):
        begin(bus)
        wait_for(lambda: owners(run).keys() >= {1, 2})
        wait_for(lambda: RunDirectory(run).observations().height == 80)
        red = owners(run)[1]
    with Bus(redis_url, site) as other, working(associator_of(other).run):
        outcome = forget_person(run, red, SiteAddress(timeout_s=ANSWER_S))
        assert outcome.removed["observations"] == 40
        assert outcome.notes == ["the site has forgotten the person too; no recorder is running"]
    # Messages still in the streams are not recorded by the next recorder.
    continue_story(bus)
    with running_site(redis_url, site, run):
        wait_for(lambda: owners(run).keys() >= {1, 3})
        wait_for(lambda: set(RunDirectory(run).observations()["track_id"]) == {1, 2, 3})
    assert red not in owners(run).values()
    late = RunDirectory(run).observations().filter(track_id=1)
    assert late["frame_index"].to_list() == [41, 60]


def test_a_running_recorder_is_found_by_the_address_in_the_folder(
    redis_url: str, site: str, bus: Bus, run: Path
) -> None:
    write_progress(run, RecorderProgress(bus.run(), site=site, redis=redis_url))
    with running_site(redis_url, site, run):
        begin(bus)
        wait_for(lambda: 1 in owners(run))
        red = owners(run)[1]
        removed = forget_person(run, red, SiteAddress(timeout_s=ANSWER_S)).removed
    assert removed["identity events"] >= 1
    assert red not in owners(run).values()


def test_a_recorder_of_unknown_address_is_reported(run: Path) -> None:
    with (
        exclusive_writer(run),
        pytest.raises(UserError, match=r"give --config SITE\.yaml, or --redis"),
    ):
        forget_person(run, 7, SiteAddress())


def test_a_request_repeated_after_a_crash_is_answered_again(run: Path) -> None:
    """The recorder removed everything and died before writing its progress."""
    asked = ForgetMessage(7, 4.0, [("gate", 1)])
    answer, parts = forget_recorded(run, asked)
    assert not answer.fault
    assert [(part.key, part.first) for part in parts] == [(("gate", 1), None)]
    assert parts[0].before == pytest.approx(4.0)
    answer, parts = forget_recorded(run, ForgetMessage(8, 4.0, []))
    assert "has no identity 8" in answer.fault
    assert parts == []


def test_their_dead_letters_are_removed_too(redis_url: str, site: str, bus: Bus) -> None:
    send(bus, TRACKLETS, [tracklet_sent("gate", 1, 0.0, 1.0), tracklet_sent("gate", 2, 0.0, 1.0)])
    letters: list[Delivery] = bus.read(ASSOCIATOR, "1", [TRACKLETS], 0.01)
    bus.commit(ASSOCIATOR, [letter.faulty("no reason") for letter in letters])
    with redis.Redis.from_url(redis_url) as client:
        assert client.xlen(dead_letter_key(site)) == 2
        forgetting.confirm(bus, 7, json.dumps({}).encode(), {("gate", 1)})
        assert client.xlen(dead_letter_key(site)) == 1
    assert forgetting.confirmation(bus, 7) == b"{}"
    forgetting.request(bus, 7)
    assert forgetting.confirmation(bus, 7) is None


def test_dead_letters_that_may_be_of_them_are_removed_too(
    redis_url: str, site: str, bus: Bus
) -> None:
    """Observations of their track, and what nobody can read."""
    rows = [observations_sent("gate", [1], 1), observations_sent("gate", [1], 2)]
    send(bus, OBSERVATIONS, rows)
    letters: list[Delivery] = bus.read(RECORDER, "1", [OBSERVATIONS], 0.01)
    bus.commit(RECORDER, [letter.faulty("no reason") for letter in letters])
    with redis.Redis.from_url(redis_url) as client:
        client.xadd(dead_letter_key(site), {"message": b"\xc1 a face"})
        forgetting.confirm(bus, 7, b"{}", {("gate", 1)})
        ((_, left),) = client.xrange(dead_letter_key(site))
        assert entries.delivery("dead", b"0-1", left).message == rows[1]


def test_deleting_a_site_drops_pending_requests(redis_url: str, site: str) -> None:
    with Bus(redis_url, site) as bus:
        bus.declare()
        clock = iter(range(100)).__next__
        assert not ask_associator(bus, 7, 1.0, clock)
        bus.delete_site()
        assert forgetting.requested(bus) == []
