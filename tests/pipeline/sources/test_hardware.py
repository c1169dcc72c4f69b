"""Hardware decoding, and the fallback to the CPU where it is unavailable."""

from pathlib import Path

import pytest

from pipeline.config.schema import CameraConfig
from pipeline.sources import open_source
from pipeline.sources.decoding import accelerator, unavailable_reason
from pipeline.sources.live import LiveSource
from videos import make_video, read_index

KINDS = ["cuda", "vaapi", "qsv"]


def test_none_is_none() -> None:
    assert accelerator("none") is None


@pytest.mark.parametrize("kind", KINDS)
def test_an_accelerator_or_the_reason_why_there_is_none(kind: str) -> None:
    assert (accelerator(kind) is None) == bool(unavailable_reason(kind))


def test_an_unknown_kind() -> None:
    assert unavailable_reason("toaster").startswith("this build of FFmpeg supports only ")


@pytest.mark.parametrize("kind", KINDS)
def test_falls_back_to_the_cpu_and_logs_it(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if not unavailable_reason(kind):
        pytest.skip(f"{kind} decodes here")
    live = LiveSource("gate", "rtsp://127.0.0.1:1/1", CameraConfig(hwaccel=kind))
    live.status.closing.set()
    assert list(live.frames()) == []
    path = make_video(tmp_path / "a.mp4", 5)
    file = open_source("yard", CameraConfig(source=str(path), hwaccel=kind))
    assert [read_index(frame.image) for frame in file.frames()] == list(range(5))
    logged = [record.getMessage() for record in caplog.records]
    assert [line.split(": ")[0] for line in logged] == ["camera gate", "camera yard"]
    assert all(f"no hardware decoding by {kind}: " in line for line in logged)
    assert all(line.endswith("Decoding on the CPU instead") for line in logged)
