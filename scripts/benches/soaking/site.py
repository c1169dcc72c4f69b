"""The site of a soak: four RTSP cameras that show the demo clips, each with its own server.

The clips run slowly in an endless loop. Each ends with dark frames, so that tracks end regularly.
The last camera also changes its image size in each loop.
"""

import json
import sys
from contextlib import ExitStack
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.weights import weights_path

sys.path.insert(0, str(Path(__file__).parents[3] / "tests"))

from rtsp_cameras import H264, Cameras, missing_gstreamer

FPS = 5
DARK_S = 5
LOCKED = "till"
RESIZED = "yard"
CLIPS = {"gate": "cam01", "hall": "cam02", "till": "cam03", "yard": "cam04"}
PASSWORDS = ("soak-first-word", "soak-second-word")
BUFFER_S = 3.0
RETRY_MAX_S = 3.0
LARGE, SMALL = (408, 720), (340, 600)
SIZES = {name: (LARGE, SMALL) if name == RESIZED else (LARGE,) for name in CLIPS}


def settings(urls: dict[str, str]) -> dict[str, object]:
    """The site file: a load for two cores, and a gallery that is full after a minute."""
    live = {"retry_max_s": RETRY_MAX_S}
    return {
        "site": "soak",
        "cameras": {name: {"source": url, "live": live} for name, url in urls.items()},
        "detector": {"image_size": 320},
        "tracker": {"buffer_s": BUFFER_S},
        "association": {"gallery_s": 60.0},
    }


def write_settings(path: Path, cameras: dict[str, Cameras], password: str = PASSWORDS[0]) -> Path:
    """Write the site file (JSON is valid YAML), with ``password`` for the camera that has one."""
    logins = {LOCKED: f"bob:{password}@"}
    urls = {name: camera.url(name, logins.get(name, "")) for name, camera in cameras.items()}
    text = json.dumps(settings(urls))
    path.with_suffix(".new").write_text(text)
    return path.with_suffix(".new").rename(path)


def serve(folder: Path, stack: ExitStack) -> dict[str, Cameras]:
    """Start the cameras until ``stack`` is closed. Exits when no RTSP server is available."""
    if missing_gstreamer():
        sys.exit(f"bench soak: {missing_gstreamer()}")
    cameras = {}
    for name in CLIPS:
        mount = {"launch": H264, "clip": str(write_clip(folder / name, name)), "fps": FPS}
        password = PASSWORDS[0] if name == LOCKED else ""
        cameras[name] = stack.enter_context(Cameras({f"/{name}": mount}, password))
    return cameras


def write_clip(folder: Path, camera: str) -> Path:
    """Write the clip of a camera in all its sizes, one H.264 file per frame; returns ``folder``."""
    folder.mkdir(parents=True)
    source = weights_path("demo-clips").parent / f"{CLIPS[camera]}.mp4"
    with av.open(str(source)) as container:
        pictures = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    dark = np.full_like(pictures[0], 40)
    pictures += [dark] * (DARK_S * FPS)
    units = [unit for size in SIZES[camera] for unit in encoded(pictures, size)]
    for number, unit in enumerate(units):
        (folder / f"{number:04}.h264").write_bytes(unit)
    return folder


def encoded(pictures: list[NDArray[np.uint8]], size: tuple[int, int]) -> list[bytes]:
    """BGR ``pictures`` as H.264 packets of ``size`` (width, height), with a keyframe per second."""
    context = av.CodecContext.create("libx264", "w")
    context.width, context.height = size
    context.pix_fmt = "yuv420p"
    context.framerate = FPS
    keys = f"keyint={FPS}:min-keyint={FPS}:scenecut=0:repeat-headers=1"
    context.options = {"tune": "zerolatency", "preset": "veryfast", "x264-params": keys}
    packets = []
    for number, picture in enumerate(pictures):
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        frame = av.VideoFrame.from_ndarray(small, format="bgr24")
        frame.pts = number
        packets += context.encode(frame)
    return [bytes(packet) for packet in [*packets, *context.encode(None)]]
