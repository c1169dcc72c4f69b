import dataclasses
import errno
import json
import math
import os
import random
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import redis
from polars.testing import assert_frame_equal

from builders import (
    camera_sent,
    identity_sent,
    observations_sent,
    tracklet,
    tracklet_sent,
    watermark,
)
from buses import FeedingBus, KilledError, MortalBus, Sent, broken, send, send_raw
from pipeline.bus import forgetting
from pipeline.bus.connection import BusLostError, Retry
from pipeline.bus.embedded_redis import EmbeddedServer
from pipeline.bus.entries import Delivery
from pipeline.bus.keys import (
    ASSOCIATOR,
    IDENTITIES,
    OBSERVATIONS,
    RECORDER,
    TRACKLETS,
    dead_letter_key,
    stream_key,
)
from pipeline.bus.messages import (
    CameraMessage,
    CorrectionMessage,
    EndMessage,
    ForgetMessage,
    Message,
    TrackletMessage,
    encode,
    pack,
    tracklet_message,
)
from pipeline.bus.streams import Bus
from pipeline.errors import UserError
from pipeline.recorder import recorder
from pipeline.recorder.recorder import Recorder
from pipeline.run_directory import schema
from pipeline.run_directory.camera_log import read_changes
from pipeline.run_directory.corrections import names_in, read_corrections
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.segments import write_segment
from recorder_helpers import new_run, ticking
from trackers.association.corrections import Correction

ROOT = Path(recorder.__file__).parents[2]

STORY: list[Sent] = [
    (OBSERVATIONS, [observations_sent("gate", [0, 1], 1), camera_sent("gate", 2)]),
    (TRACKLETS, [tracklet_sent("gate", 1, 0.0, 1.0), watermark("gate", 1.0)]),
    (OBSERVATIONS, [observations_sent("yard.2-b", [5], 1), camera_sent("yard.2-b", 6)]),
    (IDENTITIES, [identity_sent("gate", 1, 7, 1.0)]),
    (OBSERVATIONS, [observations_sent("gate", [2, 4], 1), camera_sent("gate", 5)]),
    (TRACKLETS, [tracklet_sent("gate", 1, 0.0, 2.0, closed=True), watermark("gate", 2.0)]),
    (OBSERVATIONS, [camera_sent("gate", 5, "complete")]),
    (OBSERVATIONS, [observations_sent("yard.2-b", [6], 2), camera_sent("yard.2-b", 7, "complete")]),
    (TRACKLETS, [tracklet_sent("yard.2-b", 2, 0.6, 2.0, closed=True)]),
    (IDENTITIES, [identity_sent("yard.2-b", 1, 8, 2.0), identity_sent("yard.2-b", 1, 7, 2.0)]),
    (IDENTITIES, [CorrectionMessage(Correction("name", "anna", 9.0, 1, global_id=7, name="Ben"))]),
    (IDENTITIES, [EndMessage(2.0)]),
]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return new_run(tmp_path / "run")


def record(bus: Bus, folder: Path, segment_s: float = 2.0) -> None:
    Recorder(bus, folder, segment_s, ticking()).run(threading.Event())


def sent(url: str, site: str, story: Iterable[Sent]) -> None:
    with Bus(url, site) as bus:
        bus.declare()
        for stream, messages in story:
            send(bus, stream, messages)


def tables(folder: Path) -> list[pl.DataFrame]:
    directory = RunDirectory(folder)
    return [directory.observations(), directory.tracklets(), directory.events()]


def assert_same(folder: Path, other: Path) -> None:
    for mine, theirs in zip(tables(folder), tables(other), strict=True):
        assert_frame_equal(mine, theirs)
    assert RunDirectory(folder).cameras() == RunDirectory(other).cameras()
    assert read_corrections(folder) == read_corrections(other)
    assert list(folder.rglob("*.partial")) == []


@pytest.fixture(scope="module")
def undisturbed(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = new_run(tmp_path_factory.mktemp("undisturbed") / "run")
    with FeedingBus(redis_url, uuid.uuid4().hex, STORY) as bus:
        bus.declare()
        record(bus, folder)
    return folder


def test_everything_sent_is_in_the_tables(undisturbed: Path) -> None:
    run = RunDirectory(undisturbed)
    observations = run.observations()
    assert observations.select("camera_id", "frame_index", "track_id").rows() == [
        ("gate", 0, 1),
        ("gate", 1, 1),
        ("gate", 2, 1),
        ("gate", 4, 1),
        ("yard.2-b", 5, 1),
        ("yard.2-b", 6, 2),
    ]
    assert observations.row(3, named=True) == {
        "camera_id": "gate",
        "frame_index": 4,
        "timestamp": 0.4,
        "time": datetime(1970, 1, 1, 0, 0, 0, 400_000, UTC),
        "track_id": 1,
        "x1": 4.0,
        "y1": 20.0,
        "x2": 44.0,
        "y2": 90.0,
        "score": 0.75,
        "ground_x": None,
        "ground_y": None,
        "frame_width": None,
        "frame_height": None,
    }
    assert run.tracklets().select("camera_id", "track_id", "end", "embedding").rows() == [
        ("gate", 1, 1.9, [1.0, 0.0]),
        ("yard.2-b", 2, 1.9, [1.0, 0.0]),
    ]
    assert run.events()["global_id"].to_list() == [7, 8, 7]
    assert [(c.camera_id, c.frames, c.state) for c in run.cameras()] == [
        ("gate", 5, "complete"),
        ("yard.2-b", 7, "complete"),
    ]


def test_segments_are_closed_by_the_clock(redis_url: str, site: str, run: Path) -> None:
    with FeedingBus(redis_url, site, STORY) as bus:
        bus.declare()
        record(bus, run, segment_s=0.0)
    assert len(list((run / "observations" / "camera_id=gate").glob("part-*.parquet"))) == 2
    with FeedingBus(redis_url, f"{site}.slow", STORY) as bus:
        bus.declare()
        slow = new_run(run.parent / "slow")
        record(bus, slow, segment_s=1e6)
    assert len(list((slow / "observations" / "camera_id=gate").glob("part-*.parquet"))) == 1
    assert_same(run, slow)


def test_segments_are_closed_early_when_many_messages_wait(
    redis_url: str, site: str, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "_MOST_MESSAGES", 2)
    with FeedingBus(redis_url, site, STORY) as bus:
        bus.declare()
        record(bus, run, segment_s=1e6)
    assert len(list((run / "observations" / "camera_id=gate").glob("part-*.parquet"))) == 2


@pytest.mark.parametrize("at_once", [1, 2, 1000])
def test_it_records_everything_when_it_starts_after_the_end(
    redis_url: str, site: str, run: Path, undisturbed: Path, at_once: int
) -> None:
    """The end arrives in the first read of many observations: the others must be read too."""
    sent(redis_url, site, STORY)
    with FeedingBus(redis_url, site, [], count=at_once) as bus:
        record(bus, run)
    assert_same(run, undisturbed)


class Mortal(Recorder):
    """A recorder that stops writing once its bus is dead."""

    def __init__(self, bus: MortalBus, folder: Path) -> None:
        super().__init__(bus, folder, 2.0, ticking())
        self.mortal = bus

    def close_segments(self) -> None:
        if not self.mortal.dead:
            super().close_segments()


@pytest.mark.parametrize("done", [False, True], ids=["before it is done", "after it is done"])
def test_killed_anywhere_and_restarted_it_records_the_same(
    redis_url: str,
    site: str,
    tmp_path: Path,
    undisturbed: Path,
    monkeypatch: pytest.MonkeyPatch,
    done: bool,
) -> None:
    """Killed before a commit: the segment is in place, but not acknowledged."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # for speed: no power failure here
    for last in count(1):
        one, folder = f"{site}.{last}", new_run(tmp_path / str(last))
        sent(redis_url, one, STORY)
        with MortalBus(redis_url, one, last, done=done, count=1) as bus:
            try:
                Mortal(bus, folder).run(threading.Event())
            except KilledError:
                pass
            else:
                break
        with Bus(redis_url, one) as again:
            record(again, folder)
        assert_same(folder, undisturbed)
    assert last > 10


def test_a_correction_is_written_at_once_and_a_damaged_list_ends_nothing(
    redis_url: str, site: str, run: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stop, made = threading.Event(), Correction("name", "anna", 9.0, 1, global_id=7, name="Ben")

    class Ending(FeedingBus):
        def commit(self, *arguments: Any, **more: Any) -> None:
            super().commit(*arguments, **more)
            stop.set()

    story: list[Sent] = [(IDENTITIES, [identity_sent("gate", 1, 7, 1.0), CorrectionMessage(made)])]
    with Ending(redis_url, site, story) as bus:
        bus.declare()
        # Long before a segment is full.
        Recorder(bus, run, 1e6, ticking()).run(stop)
    assert names_in(run) == {7: "Ben"}
    (run / "corrections.json").write_text("{")
    again = dataclasses.replace(made, number=2, name="Anna")
    with FeedingBus(
        redis_url, site, [(IDENTITIES, [CorrectionMessage(again), EndMessage(2.0)])]
    ) as bus:
        record(bus, run)
    assert "corrections.json is damaged" in caplog.text
    assert "1 corrections are not on its list" in caplog.text


@pytest.mark.parametrize("written", range(4))
def test_killed_between_two_segments_it_records_the_same(
    redis_url: str,
    site: str,
    run: Path,
    undisturbed: Path,
    monkeypatch: pytest.MonkeyPatch,
    written: int,
) -> None:
    """Observations are written, identities not yet."""
    sent(redis_url, site, STORY)
    whole, left = recorder.write_segment, iter(range(written))

    def write(folder: Path, table: pa.Table, position: str, number: int) -> Path:
        if next(left, None) is None:
            raise KilledError
        return whole(folder, table, position, number)

    with monkeypatch.context() as patch, Bus(redis_url, site) as bus:
        patch.setattr(recorder, "write_segment", write)
        with pytest.raises(KilledError):
            record(bus, run)
    with Bus(redis_url, site) as bus:
        record(bus, run)
    assert_same(run, undisturbed)


def test_restarted_after_its_end_it_changes_nothing(
    redis_url: str, site: str, run: Path, undisturbed: Path
) -> None:
    sent(redis_url, site, STORY)
    for _ in range(2):
        with Bus(redis_url, site) as bus:
            record(bus, run)
        assert_same(run, undisturbed)


def test_received_messages_are_written_when_it_is_stopped(
    redis_url: str, site: str, run: Path
) -> None:
    stop = threading.Event()

    class Stopping(Bus):
        def read(self, *args: Any, **more: Any) -> list[Delivery]:
            stop.set()
            return super().read(*args, **more)

    sent(redis_url, site, STORY[:1])
    with Stopping(redis_url, site) as bus:
        Recorder(bus, run, 1e6, ticking()).run(stop)
        assert bus.claim(RECORDER, "1", OBSERVATIONS) == []
    assert RunDirectory(run).observations().height == 2
    assert [camera.state for camera in RunDirectory(run).cameras()] == ["running"]


def test_received_messages_are_written_when_redis_is_lost(tmp_path: Path, run: Path) -> None:
    class Losing(FeedingBus):
        def read(self, *args: Any, **more: Any) -> list[Delivery]:
            got = super().read(*args, **more)
            with redis.Redis.from_url(embedded.url) as client:
                client.shutdown(nosave=True)
            return got

    with EmbeddedServer(tmp_path / "redis") as embedded:
        with Losing(embedded.url, "site", STORY) as bus:
            bus.declare()
            with pytest.raises(UserError, match=r"^Redis at unix://.* failed: "):
                record(bus, run, segment_s=1e6)
    assert RunDirectory(run).observations()["frame_index"].to_list() == [0, 1]


def test_a_folder_that_cannot_be_written_is_named_and_nothing_is_acknowledged(
    redis_url: str, site: str, run: Path
) -> None:
    (run / "tracklets").write_text("a file")
    sent(redis_url, site, STORY)
    with Bus(redis_url, site) as bus:
        with pytest.raises(UserError) as raised:
            record(bus, run)
        assert str(raised.value).startswith(f"cannot write to {run}: File exists. Everything up to")
        assert len(bus.claim(RECORDER, "1", TRACKLETS)) == 5
    assert RunDirectory(run).observations().height == 6


FULL_DISK = """
import json, sys, threading
from itertools import count
from pathlib import Path
import numpy as np
from builders import camera_sent, identity_sent, observations_sent
from buses import FeedingBus
from pipeline.bus.keys import IDENTITIES, OBSERVATIONS
from pipeline.bus.messages import EndMessage, ObservationsMessage, pack
from pipeline.errors import UserError
from pipeline.recorder.recorder import Recorder
from pipeline.run_directory.reader import RunDirectory

run, url = Path(sys.argv[1]), sys.argv[2]
(run / "config.yaml").write_text("site: test")
noise, rows = np.random.default_rng(0), 20_000
big = ObservationsMessage(
    camera_id="gate",
    frame_index=pack(np.arange(10, 10 + rows)),
    timestamp=pack(noise.random(rows)),
    track_id=pack(np.ones(rows, np.int64)),
    boxes=pack(noise.random((rows, 4)).astype(np.float32)),
    scores=pack(noise.random(rows).astype(np.float32)),
)
story = [
    (OBSERVATIONS, [observations_sent("gate", [0, 1], 1), camera_sent("gate", 2)]),
    (IDENTITIES, [identity_sent("gate", 1, 7, 1.0)]),
    (OBSERVATIONS, [big, camera_sent("gate", 10 + rows)]),
    (IDENTITIES, [EndMessage(1.0)]),
]
message = ""
with FeedingBus(url, "full", story) as bus:
    bus.declare()
    try:
        Recorder(bus, run, 0.0, count().__next__).run(threading.Event())
    except UserError as error:
        message = str(error)
    pending = len(bus.claim("recorder", "2", OBSERVATIONS))
directory = RunDirectory(run)
print(json.dumps({
    "message": message,
    "pending": pending,
    "frames": directory.observations()["frame_index"].to_list(),
    "people": directory.identities()["global_id"].to_list(),
    "cameras": [camera.frames for camera in directory.cameras()],
    "partial": [str(path) for path in run.rglob("*.partial")],
}))
"""


def test_a_full_disk_ends_it_and_earlier_segments_are_readable(
    redis_url: str, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f"mount -t tmpfs -o size=128k tmpfs {disk}"
    allowed = subprocess.run(["unshare", "-rm", "sh", "-c", mount], capture_output=True, text=True)
    if allowed.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {allowed.stderr.strip()}")
    program = tmp_path / "program.py"
    program.write_text(FULL_DISK)
    command = [sys.executable, str(program), str(disk), redis_url]
    result = subprocess.run(
        ["unshare", "-rm", "sh", "-c", f'{mount} && exec "$@"', "sh", *command],
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    result_values = json.loads(result.stdout)
    assert result_values.pop("message") == (
        f"cannot write to {disk}: No space left on device. Everything up to the last closed "
        "segment can be read; 2 messages after it are not recorded"
    )
    assert result_values == {
        "pending": 2,
        "frames": [0, 1],
        "people": [7],
        "cameras": [2],
        "partial": [],
    }


def recorded(url: str, site: str, run: Path, *story: Sent) -> RunDirectory:
    sent(url, site, [*story, (IDENTITIES, [EndMessage(1.0)])])
    with Bus(url, site) as bus:
        record(bus, run)
    return RunDirectory(run)


def test_without_people_the_tables_are_empty(redis_url: str, site: str, run: Path) -> None:
    directory = recorded(redis_url, site, run, (OBSERVATIONS, [camera_sent("gate", 9, "complete")]))
    assert [table.height for table in tables(run)] == [0, 0, 0]
    assert [camera.frames for camera in directory.cameras()] == [9]


def test_ground_is_metres_or_empty(redis_url: str, site: str, run: Path) -> None:
    message = msgspec.structs.replace(
        observations_sent("gate", [0, 1], 1),
        ground=pack(np.array([[1.5, -2.0], [math.nan, math.nan]])),
    )
    directory = recorded(redis_url, site, run, (OBSERVATIONS, [message]))
    assert directory.observations().select("ground_x", "ground_y").rows() == [
        (1.5, -2.0),
        (None, None),
    ]


def tracklets() -> Iterator[Message]:
    empty = tracklet("gate", 1, 0.0, 1.0, look=(), closed=True)
    yield tracklet_message(empty, 1.0)
    yield tracklet_message(tracklet("gate", 2, 0.0, 1.0, closed=False), 1.0)
    two = tracklet("gate", 3, 0.0, 1.0, closed=True)
    two = msgspec.structs.replace(
        tracklet_message(two, 1.0, "thumbnails/gate/3.jpg"),
        exemplars=pack(np.array([[1.0, 0.0], [0.0, 1.0]], np.float16)),
        qualities=pack(np.array([0.75, 0.25], np.float32)),
        exemplar_times=pack(np.array([0.0, 1.0])),
        text_vectors=pack(np.array([[1.0, 0.0], [0.0, 1.0]], np.float16)),
        visibilities=pack(np.array([[1.0, 0.25, 0.0], [0.5, 0.5, 0.0]], np.float16)),
        model="0a1b",
    )
    yield two


def test_closed_tracks_have_the_quality_weighted_mean_embedding(
    redis_url: str, site: str, run: Path
) -> None:
    directory = recorded(redis_url, site, run, (TRACKLETS, list(tracklets())))
    nothing, both = directory.tracklets().iter_rows(named=True)
    assert (nothing["track_id"], nothing["embedding"], nothing["quality"]) == (1, None, 0.0)
    assert both["embedding"] == pytest.approx([3 / math.sqrt(10), 1 / math.sqrt(10)])
    assert (both["quality"], both["thumbnail"]) == (0.75, "thumbnails/gate/3.jpg")
    assert both["text_vector"] == pytest.approx([math.sqrt(0.5)] * 2, abs=1e-3)
    assert both["visibilities"] == [1.0, 0.5, 0.0]
    assert (both["model"], nothing["model"]) == ("0a1b", None)
    assert (nothing["text_vector"], nothing["visibilities"]) == (None, None)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("last", [5, 9, 1000])
def test_repeated_and_shuffled_messages_change_nothing_also_when_killed(
    redis_url: str,
    site: str,
    run: Path,
    undisturbed: Path,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
    last: int,
) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # for speed: no power failure here
    chance = random.Random(seed)
    sent(redis_url, site, STORY)
    with redis.Redis.from_url(redis_url) as client:
        for stream in (OBSERVATIONS, TRACKLETS, IDENTITIES):
            key = stream_key(site, stream)
            *entries, end = [fields for _, fields in client.xrange(key)]
            entries *= 2
            chance.shuffle(entries)
            client.delete(key)
            for fields in (*entries, end):
                client.xadd(key, fields)
            client.xgroup_create(key, RECORDER, id="0")
        client.xgroup_create(stream_key(site, TRACKLETS), ASSOCIATOR, id="0")
    with MortalBus(redis_url, site, last, done=bool(seed % 2), count=2) as bus:
        with suppress(KilledError):
            Mortal(bus, run).run(threading.Event())
    with Bus(redis_url, site) as bus:
        record(bus, run)
    for mine, theirs in zip(tables(run), tables(undisturbed), strict=True):
        # Tracklets and events come from several senders in any order.
        columns = mine.columns if mine.columns[-1] == "ground_y" else ["camera_id", "track_id"]
        keys = [name for name in columns if mine.schema[name] != pl.List(pl.Float32)]
        assert_frame_equal(
            mine.sort(keys, maintain_order=True), theirs.sort(keys, maintain_order=True)
        )
    assert RunDirectory(run).cameras() == RunDirectory(undisturbed).cameras()


def letters(url: str, site: str) -> list[dict[bytes, bytes]]:
    with redis.Redis.from_url(url) as client:
        return [fields for _, fields in client.xrange(dead_letter_key(site))]


def test_invalid_messages_become_dead_letters_and_the_rest_is_recorded(
    redis_url: str, site: str, run: Path, undisturbed: Path
) -> None:
    observed = observations_sent("gate", [0, 1], 1)
    floats, wide = (
        msgspec.msgpack.decode(msgspec.msgpack.encode(pack(array)))
        for array in (np.array([0.5, 1.5]), np.full((2, 2), 2**40))
    )
    with Bus(redis_url, site) as bus:
        bus.declare()
        for name, value in (
            ("track_id", floats),
            ("frame_index", floats),
            ("camera_id", "a" * 249),
            ("camera_id", ".."),
        ):
            send_raw(bus, OBSERVATIONS, broken(observed, **{name: value}), f"{name}{value}", 1)
        send_raw(bus, OBSERVATIONS, b"", "empty", 1)
        send_raw(bus, OBSERVATIONS, encode(observed), "gate", "9" * 5000)
        send_raw(bus, OBSERVATIONS, encode(observed), "gate", 10**17)
        # Valid, and more than its column holds.
        send_raw(bus, OBSERVATIONS, broken(observed, sizes=wide), "wide", 1)
    sent(redis_url, site, STORY)
    with Bus(redis_url, site) as bus:
        record(bus, run)
        assert bus.client.xpending(stream_key(site, OBSERVATIONS), RECORDER)["pending"] == 0
    dead = letters(redis_url, site)
    reasons = [letter[b"reason"].decode() for letter in dead]
    assert [reason.partition(",")[0] for reason in reasons[:2]] == [
        "expected signed whole numbers in track_id",
        "expected signed whole numbers in frame_index",
    ]
    assert ["245" in reasons[2], "regex" in reasons[3]] == [True, True]
    assert ["truncated" in reasons[4], "number of at least 1" in reasons[5]] == [True, True]
    assert ["soon after" in reasons[6], "1099511627776" in reasons[7]] == [True, True]
    assert {letter[b"group"] for letter in dead} == {b"recorder"}
    assert_same(run, undisturbed)


def test_what_can_never_be_written_is_a_dead_letter_and_the_rest_is_recorded(
    redis_url: str, site: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The paths of one camera are too long for the system."""
    deep = tmp_path
    while len(str(deep)) < 3600:
        deep = deep / ("d" * 100)
    deep.mkdir(parents=True)
    run, long = new_run(deep / ("r" * (3849 - len(str(deep))))), "a" * 245
    odd = [(OBSERVATIONS, [observations_sent(long, [5], 1)])]
    sent(redis_url, site, [*STORY[:4], *odd, *STORY[4:]])
    with Bus(redis_url, site) as bus:
        record(bus, run)
        assert bus.client.xpending(stream_key(site, OBSERVATIONS), RECORDER)["pending"] == 0
    (dead,) = letters(redis_url, site)
    assert (dead[b"sender"], dead[b"group"]) == (long.encode(), b"recorder")
    assert dead[b"reason"].decode() == f"cannot write to camera_id={long}: File name too long"
    assert "Going on without it" in caplog.text
    assert len(RunDirectory(run).observations()) == 6


def test_a_full_disk_still_ends_it_and_loses_nothing(
    redis_url: str, site: str, run: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    sent(redis_url, site, STORY)
    with Bus(redis_url, site) as bus:
        with monkeypatch.context() as patched:
            patched.setattr(recorder, "write_segment", full)
            with pytest.raises(UserError, match="No space left"):
                record(bus, run)
        record(bus, run)
    assert letters(redis_url, site) == []
    assert_same(run, undisturbed)


def pictured(track_id: int) -> TrackletMessage:
    """A closed track with the thumbnail of a node on another machine."""
    message = tracklet_sent("gate", track_id, 0.0, 2.0, closed=True)
    name = f"thumbnails/gate/{track_id}.jpg"
    return msgspec.structs.replace(message, thumbnail=name, picture=f"jpeg {track_id}".encode())


def test_thumbnails_of_nodes_elsewhere_are_written(redis_url: str, site: str, run: Path) -> None:
    forget: Sent = IDENTITIES, [ForgetMessage(7, 5.0, [("gate", 1)])]
    known: Sent = IDENTITIES, [identity_sent("gate", 1, 7, 1.0)]
    sent(redis_url, site, [known, (TRACKLETS, [pictured(1), pictured(2)])])
    with Bus(redis_url, site) as bus:
        work = Recorder(bus, run, 1e6, ticking())
        work._process(bus.read(RECORDER, "1", [IDENTITIES, TRACKLETS], 0.01))
        work.close_segments()
        pictures = {path.name: path.read_bytes() for path in (run / "thumbnails/gate").iterdir()}
        assert pictures == {"1.jpg": b"jpeg 1", "2.jpg": b"jpeg 2"}
        names = RunDirectory(run).tracklets()["thumbnail"].to_list()
        assert names == ["thumbnails/gate/1.jpg", "thumbnails/gate/2.jpg"]
        sent(redis_url, site, [forget, (TRACKLETS, [pictured(1)])])
        work._process(bus.read(RECORDER, "1", [IDENTITIES], 0.01))
        # It comes again later, and is of a forgotten person.
        work._process(bus.read(RECORDER, "1", [TRACKLETS], 0.01))
        work.close_segments()
    assert [path.name for path in (run / "thumbnails/gate").iterdir()] == ["2.jpg"]


def test_a_person_who_cannot_be_forgotten_does_not_end_it(
    redis_url: str, site: str, run: Path
) -> None:
    with Bus(redis_url, site) as bus:
        sent(redis_url, site, STORY[:-1])
        empty = schema.IDENTITIES.empty_table()
        damaged, _ = (write_segment(run / "identities", empty, "{}") for _ in range(2))
        damaged.write_bytes(b"damaged")
        tracks: list[Sent] = [(IDENTITIES, [ForgetMessage(7, 2.0, [("gate", 1)])])]
        sent(redis_url, site, tracks)
        sent(redis_url, site, STORY[-1:])
        record(bus, run)
        answer = forgetting.confirmation(bus, 7)
    assert answer is not None
    assert "is damaged" in msgspec.json.decode(answer)["fault"]


def test_a_damaged_last_segment_does_not_keep_it_down(
    redis_url: str, site: str, run: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Bus(redis_url, site) as bus:
        sent(redis_url, site, STORY)
        damaged = run / "identities" / "part-00000.parquet"
        damaged.parent.mkdir()
        damaged.write_bytes(b"damaged")
        record(bus, run)
    assert f"{damaged} is damaged" in caplog.text
    damaged.unlink()
    assert [path.name for path in (run / "identities").iterdir()] == ["part-00001.parquet"]
    assert RunDirectory(run).events().height > 0


def test_it_continues_recording_when_the_memory_of_redis_is_full(
    redis_url: str, site: str, run: Path, undisturbed: Path
) -> None:
    """Its acknowledgements are what frees memory."""
    sent(redis_url, site, STORY)
    with redis.Redis.from_url(redis_url) as client, Bus(redis_url, site) as bus:
        client.config_set("maxmemory", 1)
        try:
            record(bus, run)
        finally:
            client.config_set("maxmemory", 0)
        assert bus.lengths() == {OBSERVATIONS: 0, TRACKLETS: 5, IDENTITIES: 1}
    assert_same(run, undisturbed)


@pytest.mark.parametrize("done", [False, True], ids=["before it is done", "after it is done"])
def test_a_lost_acknowledgement_writes_nothing_twice(
    redis_url: str, site: str, run: Path, undisturbed: Path, done: bool
) -> None:
    class Losing(FeedingBus):
        lost = 0

        def commit(self, *args: Any, **more: Any) -> None:
            self.lost += 1
            if done or self.lost % 2 == 0:
                super().commit(*args, **more)
            if self.lost % 2:
                raise BusLostError("away")

    with Losing(redis_url, site, STORY) as bus:
        bus.declare()
        retry = Retry(threading.Event(), ticking())
        retry.restart(lambda: record(bus, run), bus.ping)
        assert bus.lost > 2
    assert_same(run, undisturbed)


def test_changes_of_the_state_of_a_camera_are_recorded(
    redis_url: str, site: str, run: Path
) -> None:
    def live(detail: str, frames: int) -> CameraMessage:
        fields = {"detail": detail, "timestamp_origin": "rtcp"}
        return CameraMessage(msgspec.structs.replace(camera_sent("gate", frames).camera, **fields))

    states = [live("", 2), live("", 3), live("lost: no route", 3), live("", 4)]
    sent(redis_url, site, [(OBSERVATIONS, states), (IDENTITIES, [EndMessage(2.0)])])
    with Bus(redis_url, site) as bus:
        record(bus, run)
    changes = read_changes(run)
    assert [(change.state, change.reason) for change in changes] == [
        ("running", ""),
        ("lost", "no route"),
        ("running", ""),
    ]
    assert changes[0].at == pytest.approx(time.time(), abs=3600)
