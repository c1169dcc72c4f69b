"""A plain RTSP camera for the tests, where GStreamer is missing: see `rtsp_cameras`.

Takes the settings of `rtsp_server`, serves the pictures of its clip at the first mount, and knows
no password and no sender reports.
"""

import json
import socket
import sys
import time
from pathlib import Path
from typing import Any

import av
import rtsp  # type: ignore[import-not-found,unused-ignore]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        port: int = opened.getsockname()[1]
        return port


def main(settings: dict[str, Any]) -> None:
    """Serve until killed."""
    port = settings["port"] or free_port()
    path, mount = next(iter(settings["mounts"].items()))
    fps = mount["fps"]
    context = av.CodecContext.create("h264", "r")
    files = sorted(Path(mount["clip"]).iterdir())
    packets = [av.Packet(file.read_bytes()) for file in files]
    pictures = [frame.to_image() for packet in [*packets, None] for frame in context.decode(packet)]
    with rtsp.Source(f"rtsp://127.0.0.1:{port}{path}", fps=fps) as source:
        source.put(pictures[0])
        source.wait_ready()
        print(port, flush=True)  # noqa: T201
        number = int(time.time() * fps)
        while True:
            time.sleep(max(0.0, number / fps - time.time()))
            source.put(pictures[number % len(pictures)])
            number += 1


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
