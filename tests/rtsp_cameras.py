"""RTSP cameras on 127.0.0.1 for the tests: pictures that encode their capture time.

They are served by Debian's GstRtspServer (see `rtsp_server`), or, one plain camera at a time, by
the PyPI package `rtsp` (see `rtsp_plain`).
"""

import importlib.util
import json
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Self

import av

from videos import picture

FPS = 25
#: After how many pictures the clip begins again.
CLIP = 200
_H264 = "video/x-h264,stream-format=byte-stream,alignment=au"
_APPSRC = "appsrc name=clip is-live=true do-timestamp=true format=time caps="
H264 = f"{_APPSRC}{_H264} ! h264parse ! rtph264pay name=pay0 pt=96"
#: One packet in 33 is lost.
LOSSY = (
    f"{_APPSRC}{_H264} ! h264parse ! rtph264pay pt=96 ! identity drop-probability=0.03 name=pay0"
)
AUDIO = "audiotestsrc is-live=true ! alawenc ! rtppcmapay name=pay0 pt=8"
VP8 = (
    "videotestsrc is-live=true ! video/x-raw,width=96,height=64,framerate=15/1 "
    "! vp8enc deadline=1 ! rtpvp8pay name=pay0 pt=96"
)
Mounts = dict[str, dict[str, object]]

_SYSTEM_PYTHON = "/usr/bin/python3"
_HERE = Path(__file__).parent
_START_S = 20


@cache
def missing_gstreamer() -> str:
    """What is missing for the full server; empty when it can run."""
    code = "import gi; gi.require_version('GstRtspServer', '1.0')"
    if not Path(_SYSTEM_PYTHON).exists():
        return "no system Python"
    found = subprocess.run([_SYSTEM_PYTHON, "-c", code], capture_output=True, check=False)
    return "apt packages of GstRtspServer missing, see .ci/run" if found.returncode else ""


def missing_server() -> str:
    """What is missing for any server; empty when there is one."""
    if not missing_gstreamer() or importlib.util.find_spec("rtsp"):
        return ""
    return f"{missing_gstreamer()}, and no PyPI package rtsp"


class Cameras:
    """The cameras ``mounts`` at one address, which can be killed, paused and restarted."""

    def __init__(self, mounts: Mounts, password: str = "") -> None:
        self.mounts = mounts
        self.port = 0
        self.start(password)

    def start(self, password: str = "") -> None:
        """Serve, at the same address as before."""
        settings = {"port": self.port, "password": password, "mounts": self.mounts}
        plain = bool(missing_gstreamer())
        program = "rtsp_plain.py" if plain else "rtsp_server.py"
        python = sys.executable if plain else _SYSTEM_PYTHON
        self._process = subprocess.Popen(
            [python, str(_HERE / program), json.dumps(settings)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def url(self, path: str, login: str = "") -> str:
        """The address of a camera."""
        return f"rtsp://{login}127.0.0.1:{self.port}/{path}"

    def kill(self) -> None:
        """Kill the server, as in a power failure."""
        self._process.kill()
        self._process.wait(_START_S)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def pause(self) -> None:
        """Stop sending, without closing connections."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Resume after a pause."""
        self._process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._process.poll() is None:
            self.kill()


def h264_clip(
    folder: Path, sizes: tuple[tuple[int, int], ...] = ((64, 48),), pictures: int = CLIP
) -> Path:
    """``pictures`` pictures of each of the ``sizes``, one file of H.264 each; returns ``folder``.

    A picture encodes its number, modulo 256; every tenth is a keyframe.
    """
    folder.mkdir(parents=True)
    count = 0
    for size in sizes:
        for data in _encoded(size, pictures):
            (folder / f"{count:04}.h264").write_bytes(data)
            count += 1
    return folder


def clip_mount(clip: Path, launch: str = H264) -> dict[str, object]:
    """A camera that shows ``clip``."""
    return {"launch": launch, "clip": str(clip), "fps": FPS}


def timeless_mount(path: Path) -> dict[str, object]:
    """A camera that shows the H.264 file ``path`` in an endless loop, with constant timestamps."""
    launch = f"multifilesrc location={path} loop=true ! h264parse ! rtph264pay name=pay0 pt=96"
    return {"launch": launch, "clip": "", "fps": 0}


def _encoded(size: tuple[int, int], pictures: int) -> list[bytes]:
    context = av.CodecContext.create("libx264", "w")
    context.width, context.height = size
    context.pix_fmt = "yuv420p"
    context.framerate = FPS
    context.options = {
        "tune": "zerolatency",
        "preset": "ultrafast",
        "x264-params": "keyint=10:min-keyint=10:scenecut=0:repeat-headers=1",
    }
    packets = []
    for number in range(pictures):
        frame = av.VideoFrame.from_ndarray(picture(number % 256, size), format="bgr24")
        frame.pts = number
        packets += context.encode(frame)
    packets += context.encode(None)
    return [bytes(packet) for packet in packets]
