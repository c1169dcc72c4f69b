"""Decoding by hardware, or the clear word that there is none."""

from pathlib import Path

import pytest

from pipeline.config.schema import CameraConfig
from pipeline.sources import open_source
from pipeline.sources.decoding import accelerator, why_not
from pipeline.sources.live import LiveSource
from videos import make_video, read_index

KINDS = ["cuda", "vaapi", "qsv"]


def test_none_is_none() -> None:
    assert accelerator("none") is None


@pytest.mark.parametrize("kind", KINDS)
def test_there_is_one_or_a_reason(kind: str) -> None:
    assert (accelerator(kind) is None) == bool(why_not(kind))


def test_a_kind_that_this_build_does_not_know() -> None:
    assert why_not("toaster").startswith("this build of FFmpeg knows only ")


@pytest.mark.parametrize("kind", KINDS)
def test_without_it_the_processor_decodes_and_that_is_told(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if not why_not(kind):
        pytest.skip(f"{kind} decodes here")
    live = LiveSource("gate", "rtsp://127.0.0.1:1/1", CameraConfig(hwaccel=kind))
    live.life.closing.set()
    assert list(live.frames()) == []
    path = make_video(tmp_path / "a.mp4", 5)
    file = open_source("yard", CameraConfig(source=str(path), hwaccel=kind))
    assert [read_index(frame.image) for frame in file.frames()] == list(range(5))
    told = [record.getMessage() for record in caplog.records]
    assert [line.split(": ")[0] for line in told] == ["camera gate", "camera yard"]
    assert all(f"no decoding by {kind}: " in line for line in told)
    assert all(line.endswith("The processor decodes") for line in told)
