"""The recorder removes expired data while it runs and at its end."""

import logging
import threading
from pathlib import Path

import pytest

from builders import camera_sent, observations_sent
from buses import FeedingBus, Sent
from pipeline.bus.keys import IDENTITIES, OBSERVATIONS
from pipeline.bus.messages import EndMessage
from pipeline.config.schema import RetentionConfig
from pipeline.recorder.recorder import Recorder
from pipeline.run_directory.reader import RunDirectory
from recorder_helpers import new_run, ticking


def story(seconds: int) -> list[Sent]:
    """Ten frames per second with one person in each."""
    batches: list[Sent] = []
    for second in range(seconds):
        frames = list(range(second * 10, second * 10 + 10))
        seen = [observations_sent("gate", frames, 1), camera_sent("gate", frames[-1] + 1)]
        batches.append((OBSERVATIONS, seen))
    return batches


class WatchingBus(FeedingBus):
    """Tracks the highest row count on disk over all reads."""

    folder: Path
    most = 0

    def read(self, *arguments: object, **more: object) -> list[object]:  # type: ignore[override]
        rows = RunDirectory(self.folder).observations().height
        self.most = max(self.most, rows)
        return super().read(*arguments, **more)  # type: ignore[arg-type,return-value]


def recorded(url: str, site: str, folder: Path, segment_s: float) -> int:
    """Record 30 s of which 3 are kept; returns the highest row count on disk."""
    end: Sent = (IDENTITIES, [EndMessage(30.0)])
    with WatchingBus(url, site, [*story(30), end]) as bus:
        bus.declare()
        bus.folder = folder
        recorder = Recorder(
            bus, folder, segment_s, ticking(), retention=RetentionConfig(observations_s=3.0)
        )
        recorder.run(threading.Event())
        return bus.most


@pytest.mark.parametrize("segment_s", [0.0, 4.0, 1e6])
def test_the_remaining_rows_do_not_depend_on_the_segment_length(
    redis_url: str, site: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, segment_s: float
) -> None:
    folder = new_run(tmp_path / "run")
    with caplog.at_level(logging.INFO):
        most = recorded(redis_url, site, folder, segment_s)
    # The camera record says that the last frame is at 30.0.
    times = RunDirectory(folder).observations()["timestamp"].to_list()
    assert times == [frame / 10 for frame in range(270, 300)]
    said = [r.getMessage() for r in caplog.records if "retention" in r.getMessage()]
    assert sum(int(line.split("removed ")[1].split()[0]) for line in said) == 270
    if segment_s == 0.0:
        assert most < 100
        assert len(said) > 5


def test_without_limits_nothing_is_removed(redis_url: str, site: str, tmp_path: Path) -> None:
    folder = new_run(tmp_path / "run")
    with FeedingBus(redis_url, site, [*story(3), (IDENTITIES, [EndMessage(3.0)])]) as bus:
        bus.declare()
        Recorder(bus, folder, 0.0, ticking()).run(threading.Event())
    assert RunDirectory(folder).observations().height == 30
