"""Live cameras over HTTP, webcams, and addresses that are not a camera."""

import errno
import os
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice, pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from av.error import FFmpegError

from pipeline.config.schema import CameraConfig, LiveConfig
from pipeline.errors import UserError
from pipeline.sources import connection, open_source
from pipeline.sources.connection import Address, address_of
from pipeline.sources.live import LiveSource, check_reachable
from videos import make_audio, make_video, picture, read_index

_MJPEG_FRAMES = 8
_MJPEG_STEP_S = 0.05


class Web(SimpleHTTPRequestHandler):
    """The files of a folder; ``/mjpeg`` is a camera that keeps closing the connection."""

    folder = ""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments, directory=self.folder)  # type: ignore[arg-type]

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""

    def do_GET(self) -> None:
        if self.path == "/mjpeg":
            self._send_mjpeg()
        elif self.path == "/cut.ts":
            self._send_cut()
        else:
            super().do_GET()

    def _send_mjpeg(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
        self.end_headers()
        pace = threading.Event()
        for number in range(_MJPEG_FRAMES):
            data = cv2.imencode(".jpg", picture(number))[1].tobytes()
            head = f"--next\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
            self.wfile.write(head.encode() + data + b"\r\n")
            pace.wait(_MJPEG_STEP_S)

    def _send_cut(self) -> None:
        data = (Path(self.folder) / "a.ts").read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) * 3 // 4])


@contextmanager
def served(folder: Path) -> Iterator[str]:
    handler = type("Here", (Web,), {"folder": str(folder)})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = False
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def camera(address: str, **live: object) -> LiveSource:
    quick = {"open_timeout_s": 2.0, "read_timeout_s": 1.0, "retry_s": 0.05, "retry_max_s": 0.1}
    config = CameraConfig(source=address, live=LiveConfig.model_validate({**quick, **live}))
    return LiveSource("a", address, config)


def test_a_recording_behind_an_address_is_played_once_at_its_own_pace(tmp_path: Path) -> None:
    make_video(tmp_path / "a.ts", 6)
    began = time.time()
    with served(tmp_path) as host:
        source = camera(f"http://bob:secret@{host}/a.ts")
        assert source.probe() is None
        frames = list(source.frames())
    assert [read_index(frame.image) for frame in frames] == list(range(6))
    assert [frame.index for frame in frames] == list(range(6))
    steps = [b.timestamp - a.timestamp for a, b in pairwise(frames)]
    np.testing.assert_allclose(steps, 0.1, atol=0.01)
    assert began < frames[0].timestamp < time.time()
    assert (source.live, source.timestamp_origin, source.fault) == (True, "arrival", "")
    assert (source.width, source.height, source.fps) == (64, 48, 10)


def test_an_interrupted_recording_is_a_fault(tmp_path: Path) -> None:
    make_video(tmp_path / "a.ts", 40, options={"g": "5"})
    with served(tmp_path) as host:
        source = camera(f"http://bob:secret@{host}/cut.ts")
        frames = list(source.frames())
    assert 0 < len(frames) < 40
    assert source.fault.startswith(f"http://{host}/cut.ts ended after {len(frames)} frames: ")


def test_an_mjpeg_camera_is_reconnected_when_it_hangs_up(tmp_path: Path) -> None:
    with served(tmp_path) as host:
        source = camera(f"http://{host}/mjpeg")
        frames = list(islice(source.frames(), _MJPEG_FRAMES + 3))
        source.status.closing.set()
    numbers = [read_index(frame.image) for frame in frames]
    assert numbers == [*range(_MJPEG_FRAMES), 0, 1, 2]
    assert source.status.connections == 2
    # Not the 25 frames per second that FFmpeg assumes.
    assert source.fps == 0
    steps = [b.timestamp - a.timestamp for a, b in pairwise(frames[3:_MJPEG_FRAMES])]
    assert min(steps) > 0.8 * _MJPEG_STEP_S


def test_hls_segments_are_paced(tmp_path: Path) -> None:
    options = {
        "hls_time": "0.5",
        "hls_list_size": "0",
        "hls_flags": "omit_endlist",
        "hls_segment_filename": str(tmp_path / "%d.ts"),
    }
    make_video(tmp_path / "live.m3u8", 20, options={"g": "5"}, container_options=options)
    with served(tmp_path) as host:
        source = camera(f"http://{host}/live.m3u8")
        began = time.time()
        frames = list(islice(source.frames(), 8))
        took_s = time.time() - began
        source.status.closing.set()
    numbers = [read_index(frame.image) for frame in frames]
    assert numbers == list(range(numbers[0], numbers[0] + 8))
    np.testing.assert_allclose([b.timestamp - a.timestamp for a, b in pairwise(frames)], 0.1, 0.05)
    assert took_s > 0.6


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_connection_refused(scheme: str) -> None:
    address = f"{scheme}://bob:secret@127.0.0.1:1/live?token=hidden"
    failed = camera(address).probe()
    assert failed is not None
    assert not failed.permanent
    shown = "".join(traceback.format_exception(failed))
    assert f"cannot open {scheme}://127.0.0.1:1/live" in shown
    assert "refused" in shown
    assert "secret" not in shown
    assert "hidden" not in shown


def test_an_unknown_host() -> None:
    failed = camera("rtsp://bob:secret@no-such-camera.invalid/1").probe()
    assert "unknown host no-such-camera.invalid" in str(failed)


def test_a_server_that_accepts_but_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        failed = camera(f"rtsp://127.0.0.1:{port}/1", open_timeout_s=0.3).probe()
    assert failed is not None
    assert "connected, but no answer within 0.3 s" in str(failed)
    assert not failed.permanent


def test_no_such_page(tmp_path: Path) -> None:
    with served(tmp_path) as host:
        failed = camera(f"http://{host}/none.ts").probe()
    assert failed is not None
    assert "no such stream (404)" in str(failed)
    assert failed.permanent


def test_a_stream_with_audio_only(tmp_path: Path) -> None:
    make_audio(tmp_path / "a.ts")
    with served(tmp_path) as host:
        assert "no usable video: only audio" in str(camera(f"http://{host}/a.ts").probe())


def test_a_run_does_not_start_when_every_fault_is_permanent(tmp_path: Path) -> None:
    make_video(tmp_path / "a.ts", 6)
    with served(tmp_path) as host:
        wrong, right = camera(f"http://{host}/none.ts"), camera(f"http://{host}/a.ts")
        off = camera("rtsp://127.0.0.1:1/1")
        with pytest.raises(UserError, match=r"none\.ts: .*\(404\).*; cannot open .*none\.ts"):
            check_reachable([wrong, wrong])
        for others in ([right], [off]):
            check_reachable([wrong, *others])
            assert "404" in wrong.status.phase().text
        assert "refused" in off.status.phase().text
        assert (right.width, right.status.phase().state) == (64, "connecting")


def test_a_camera_without_one_frame_says_why() -> None:
    source = camera("rtsp://127.0.0.1:1/1")
    check_reachable([source])
    assert "refused" in source.fault


@pytest.mark.parametrize("source", ["rtsp://h\n/x", "rtsp://u:p@h/\x1b[31m", "http://h/\x00"])
def test_an_address_with_a_control_character(source: str) -> None:
    with pytest.raises(UserError, match="line break or a control character") as caught:
        open_source("a", CameraConfig(source=source))
    assert str(caught.value).isprintable()
    assert "u:p" not in str(caught.value)


def test_an_unsupported_scheme() -> None:
    with pytest.raises(UserError, match=r"ftp://h/a\.mp4: expected an address with one of rtsp"):
        open_source("a", CameraConfig(source="ftp://bob:secret@h/a.mp4"))


@pytest.mark.parametrize(
    ("platform", "url", "input_format"),
    [("linux", "/dev/video2", "v4l2"), ("darwin", "2", "avfoundation")],
)
def test_webcams_by_index(
    monkeypatch: pytest.MonkeyPatch, platform: str, url: str, input_format: str
) -> None:
    monkeypatch.setattr("sys.platform", platform)
    address = address_of("2", CameraConfig())
    assert (address.url, address.input_format, address.name) == (url, input_format, "webcam 2")


def test_no_webcams_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "win32")
    with pytest.raises(UserError, match="webcam 2: webcams need Linux or macOS"):
        address_of("2", CameraConfig())


def test_a_webcam_that_is_not_there() -> None:
    found = camera("99").probe()
    assert found is not None
    assert str(found).startswith("webcam 99 is missing: there is no /dev/video99. ")
    assert found.permanent


@pytest.mark.parametrize(
    ("number", "permanent", "text"),
    [
        (errno.ENOENT, True, "webcam 2 is missing: there is no {path}. Connected are 0, 3"),
        (errno.ENODEV, True, "webcam 2 is missing"),
        (errno.ENOTTY, True, "{path} is not a camera"),
        (errno.EACCES, True, "no permission to read {path}"),
        (errno.EBUSY, False, "Device or resource busy. Check that no other program uses it"),
        (errno.EIO, False, "Input/output error"),
    ],
)
def test_the_operating_system_says_whether_a_webcam_can_come(
    number: int, permanent: bool, text: str, tmp_path: Path
) -> None:
    for one in (0, 3):
        (tmp_path / f"video{one}").touch()
    path = str(tmp_path / "video2")
    address = Address(path, "webcam 2", "v4l2", {}, False)
    error = FFmpegError(number, os.strerror(number))
    found = connection._fault(error, address, 0.0, 5.0)
    assert found.permanent == permanent
    assert text.format(path=path) in str(found)


def test_a_missing_webcam_ends_a_run_of_files_and_webcams(tmp_path: Path) -> None:
    make_video(tmp_path / "a.mp4", 3)
    file = open_source("b", CameraConfig(source=str(tmp_path / "a.mp4")))
    with pytest.raises(UserError, match=r"^webcam 99 is missing: there is no /dev/video99"):
        check_reachable([camera("99"), file])
    for waits, others in ((True, [file]), (False, [file, camera("rtsp://127.0.0.1:1/1")])):
        webcam = camera("99")
        check_reachable([webcam, *others], waits=waits)
        assert webcam.status.phase().text.startswith("lost: webcam 99 is missing")


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_the_configured_transport_is_used(transport: str) -> None:
    live = LiveConfig.model_validate({"transport": transport})
    address = address_of("rtsp://h/1", CameraConfig(live=live))
    assert address.options == {"rtsp_transport": transport}
    assert address_of("http://h/1", CameraConfig(live=live)).options == {}


def test_a_camera_without_a_source() -> None:
    with pytest.raises(UserError, match="camera a has no source"):
        open_source("a", CameraConfig())


def test_a_process_can_end_during_a_connection_attempt() -> None:
    program = """
import sys, time
from pipeline.config.schema import CameraConfig, LiveConfig
from pipeline.sources import open_source
from pipeline.sources.decode_ahead import DecodeAhead
config = CameraConfig(source=sys.argv[1], live=LiveConfig(open_timeout_s=60))
reader = DecodeAhead(open_source("a", config), 4)
sys.stdin.read()
began = time.monotonic()
reader.close()
print(time.monotonic() - began)
"""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"rtsp://127.0.0.1:{silent.getsockname()[1]}/1"
        run = subprocess.Popen(
            [sys.executable, "-c", program, address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        connection, _ = silent.accept()
        with connection:
            printed, _ = run.communicate(timeout=600)
    assert run.returncode == 0
    assert float(printed) < 30


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("rtsp://admin:p#ss@127.0.0.1:554/1", "%2F, ? as %3F and # as %23"),
        ("rtsp://admin:p/ss@127.0.0.1:554/1", "%2F, ? as %3F and # as %23"),
        ("rtsp://admin:p?ss@127.0.0.1:554/1", "%2F, ? as %3F and # as %23"),
        ("rtsp://admin:/pass@127.0.0.1/1", "%2F, ? as %3F and # as %23"),
        ("rtsp://admin:12/34@10.0.0.7:554/1", "%2F, ? as %3F and # as %23"),
        ("rtsp://ad?min:secret@cam.lan:554/1", "%2F, ? as %3F and # as %23"),
        ("rtsp://admin:2026#@127.0.0.1:554/1", "%2F, ? as %3F and # as %23"),
        ("rtsp://127.0.0.1:99999/1", "99999 is not a port"),
        ("rtsp://127.0.0.1:0/1", "0 is not a port"),
        ("rtsp://h:x/1", "x is not a port"),
        ("rtsp://", "no host"),
        ("rtsp://admin:secret@/1", "no host"),
    ],
)
def test_an_address_that_only_a_person_can_mend_is_refused(address: str, fault: str) -> None:
    with pytest.raises(UserError) as refused:
        address_of(address, CameraConfig())
    assert fault in str(refused.value)
    assert "p#ss" not in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "address",
    [
        *("rtsp://h/1", "rtsp://h:554/1", "rtsp://u:p@h/1", "rtsp://u:p%23@h:1/1?x=a@b"),
        *("udp://@239.0.0.1:1234", "rtsp://10.0.0.7:554/a=b@c", "rtsp://h/stream@1"),
        "http://relay:1984/api?src=rtsp://bob:pw@10.0.0.7:554/1",
        *("http://h:80/mail@place", "rtsp://[::1]:554/1", "rtsp://[::1]/1", "rtsp://u@h/1#x"),
    ],
)
def test_an_address_that_is_one_is_taken(address: str) -> None:
    assert address_of(address, CameraConfig()).url == address


def blamed(offset_s: float, *, seconds: float, overloaded: bool = False) -> bool:
    """Whether a camera whose clock seems off for so long is said to have a wrong one."""
    now = [1000.0]
    source = LiveSource("a", "rtsp://127.0.0.1/1", CameraConfig(), lambda: now[0])
    source.status.spacing_s = 0.5 if overloaded else 0.0
    source._times.rejected_offset_s = offset_s
    source._warn_clock_error()
    now[0] += seconds
    source._warn_clock_error()
    return source._clock_error_logged


def test_the_clock_of_a_camera_is_not_blamed_for_a_busy_computer() -> None:
    """That takes frames late, which looks as if the clock were behind."""
    assert not blamed(-3.0, seconds=59.0)
    assert not blamed(-3.0, seconds=600.0, overloaded=True)
    assert blamed(-3.0, seconds=60.0)
    # No load makes frames come early, or hours late.
    assert blamed(3.0, seconds=0.0)
    assert blamed(-3600.0, seconds=0.0, overloaded=True)


def test_a_node_that_follows_few_frames_is_offered_few(tmp_path: Path) -> None:
    make_video(tmp_path / "a.ts", 12)
    with served(tmp_path) as host:
        source = camera(f"http://{host}/a.ts")
        source.status.spacing_s = 0.35
        frames = list(source.frames())
    assert [read_index(frame.image) for frame in frames] == [0, 4, 8]
    assert (source.status.shed, source.status.received, source.status.unused) == (9, 12, 9)
