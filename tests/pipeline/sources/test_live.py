"""A live camera: arrival times, plain ends, and messages without its password."""

import functools
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from videos import make_video, read_index

from pipeline.config import CameraConfig
from pipeline.errors import UserError
from pipeline.sources import open_source
from pipeline.sources.live import LiveSource, _address


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Nothing to say."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    handler = functools.partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_frames_carry_their_arrival_time(tmp_path: Path) -> None:
    make_video(tmp_path / "a.ts", 5)
    times = iter([50.0, 51.0, 51.0, 60.0, 61.0])
    with served(tmp_path) as host:
        source = LiveSource("a", f"http://bob:secret@{host}/a.ts", lambda: next(times))
        frames = list(source.frames())
    assert [read_index(frame.image) for frame in frames] == list(range(5))
    assert [frame.timestamp for frame in frames] == [50.0, 51.0, 51.001, 60.0, 61.0]
    assert [frame.index for frame in frames] == list(range(5))
    assert (source.live, source.timestamp_origin) == (True, "arrival")
    assert (source.width, source.height) == (64, 48)
    assert source.fault == f"http://{host}/a.ts ended after 5 frames: the camera closed the stream"


def test_the_clock_is_the_computers(tmp_path: Path) -> None:
    make_video(tmp_path / "a.ts", 2)
    with served(tmp_path) as host:
        frames = list(open_source("a", CameraConfig(source=f"http://{host}/a.ts")).frames())
    assert 1.7e9 < frames[0].timestamp < frames[1].timestamp


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_nobody_answers(scheme: str) -> None:
    address = f"{scheme}://bob:secret@127.0.0.1:1/live?token=hidden"
    with pytest.raises(UserError, match=f"cannot open {scheme}://127.0.0.1:1/live") as caught:
        open_source("a", CameraConfig(source=address))
    shown = "".join(traceback.format_exception(caught.value))
    assert "refused" in shown
    assert "secret" not in shown
    assert "hidden" not in shown


def test_no_such_page(tmp_path: Path) -> None:
    with served(tmp_path) as host, pytest.raises(UserError, match="404"):
        open_source("a", CameraConfig(source=f"http://{host}/none.ts"))


def test_an_address_that_is_no_camera() -> None:
    with pytest.raises(UserError, match=r"ftp://h/a\.mp4: expected an address with one of rtsp"):
        open_source("a", CameraConfig(source="ftp://bob:secret@h/a.mp4"))


@pytest.mark.parametrize(
    ("platform", "expected"),
    [("linux", ("/dev/video2", "v4l2", {})), ("darwin", ("2", "avfoundation", {}))],
)
def test_webcams_by_index(
    monkeypatch: pytest.MonkeyPatch, platform: str, expected: tuple[object, ...]
) -> None:
    monkeypatch.setattr("sys.platform", platform)
    assert _address("2", "webcam 2") == expected


def test_no_webcams_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "win32")
    with pytest.raises(UserError, match="webcam 2: webcams work on Linux and macOS"):
        _address("2", "webcam 2")


def test_a_webcam_that_is_not_there() -> None:
    with pytest.raises(UserError, match="cannot open webcam 99"):
        open_source("a", CameraConfig(source="99"))


def test_cameras_are_read_over_tcp() -> None:
    assert _address("rtsp://h/1", "h")[2] == {"rtsp_transport": "tcp"}


def test_a_camera_without_a_source() -> None:
    with pytest.raises(UserError, match="camera a has no source"):
        open_source("a", CameraConfig())
