"""Recordings that lie far apart are named at the start."""

from pathlib import Path

import pytest

from command_line import recorded_walk
from pipeline.config.load import check_config
from pipeline.sources.open import open_sources
from videos import make_video

AT = "2026-05-01T{}.000000Z"


def opened(folder: Path, created: dict[str, str], **start: str) -> list[str]:
    """Open a video of 2 seconds for each camera, with these creation times and given starts."""
    cameras: dict[str, object] = {}
    for name, time in created.items():
        metadata = {"creation_time": AT.format(time)} if time else {}
        path = make_video(folder / f"{name}.mp4", 20, metadata=metadata)
        given = {"start": AT.format(start[name])} if name in start else {}
        cameras[name] = {"source": str(path), **given}
    return [s.camera_id for s in open_sources(check_config({"cameras": cameras}, "the test"))]


def test_a_recording_hours_after_the_others_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    opened(tmp_path, {"a": "09:00:00", "b": "12:12:02", "c": "09:05:00"})
    (message,) = caplog.messages
    assert message.startswith("camera b: its recording begins 3.1 hours after the others (by the ")
    assert "after 600 s (association.gallery_s)" in message
    assert message.endswith("give each camera its start: in the site file")


def test_a_recording_hours_before_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    opened(tmp_path, {"a": "09:00:00", "b": "07:00:00", "c": "09:00:01"})
    (message,) = caplog.messages
    assert "camera b: its recording ends 2.0 hours before the others" in message


def test_a_file_without_a_time_beside_one_with_a_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    opened(tmp_path, {"a": "09:00:00", "b": ""})
    (message,) = caplog.messages
    assert "a file without a time counts from 1970" in message


@pytest.mark.parametrize(
    ("created", "start"),
    [
        # The first lasts 2 seconds: people are remembered for 600 more.
        ({"a": "09:00:00", "b": "09:10:02"}, {}),
        ({"a": "", "b": ""}, {}),
        ({"a": "09:00:00"}, {}),
        ({"a": "09:00:00", "b": "15:00:00"}, {"a": "09:00:00", "b": "15:00:00"}),
        ({"a": "09:00:00", "b": "15:00:00"}, {"b": "09:00:00"}),
    ],
)
def test_recordings_that_are_close_or_were_given_a_start(
    tmp_path: Path,
    created: dict[str, str],
    start: dict[str, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert opened(tmp_path, created, **start) == list(created)
    assert caplog.messages == []


def test_the_threshold_is_when_people_are_forgotten(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    opened(tmp_path, {"a": "09:00:00", "b": "09:10:03"})
    assert len(caplog.messages) == 1


def test_recorded_detections_have_their_own_times(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = recorded_walk(tmp_path / "walk.parquet", frames=20)
    cameras = {name: {"source": str(path)} for name in ("cam0", "cam1")}
    first, second = open_sources(check_config({"cameras": cameras}, "the test"))
    assert first.span == second.span == (0.0, 1.9)
    assert caplog.messages == []
