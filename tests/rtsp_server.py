"""An RTSP server of cameras for the tests: a program for the system's Python, which has GStreamer.

Its argument is JSON: ``port`` (0 = any), ``password`` (of the user "bob"; empty = none needed) and
``mounts``, from path to ``{launch, clip, fps}``. ``launch`` is a GStreamer pipeline. The appsrc in
it called "clip" is fed the files of the folder ``clip`` in turn, one each ``1 / fps`` seconds: at
the time t the file number ``floor(t * fps)``, modulo their count, so that a picture tells when it
was taken. Prints its port when it is ready.
"""

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import gi  # type: ignore[import-not-found,unused-ignore]

for name in ("Gst", "GstRtsp", "GstRtspServer"):
    gi.require_version(name, "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # type: ignore  # noqa: E402

_REPORT_NS = 300_000_000


def feed(source: Any, folder: Path, fps: float) -> None:
    """Push one file after the other at its time, until nobody takes them any more."""
    units = [path.read_bytes() for path in sorted(folder.iterdir())]
    number = int(time.time() * fps) + 1
    while True:
        time.sleep(max(0.0, number / fps - time.time()))
        buffer = Gst.Buffer.new_wrapped(units[number % len(units)])
        if source.emit("push-buffer", buffer) != Gst.FlowReturn.OK:
            return
        number += 1


def report_often(media: Any) -> None:
    """Sender reports at once and often: by default the first takes up to five seconds."""
    for index in range(media.n_streams()):
        session = media.get_stream(index).get_rtpsession()
        if session is not None:
            session.set_property("rtcp-min-interval", _REPORT_NS)


def on_configure(factory: Any, media: Any, mount: dict[str, Any]) -> None:
    """A client asks for the camera ``mount``."""
    media.connect("prepared", report_often)
    source = media.get_element().get_by_name("clip")
    if source is not None:
        folder = Path(mount["clip"])
        threading.Thread(target=feed, args=(source, folder, mount["fps"]), daemon=True).start()


def protect(server: Any, factories: list[Any], password: str) -> None:
    """Only the user "bob" may look."""
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    auth.add_digest("bob", password, token)
    server.set_auth(auth)
    for factory in factories:
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_role("viewer")
        for permission in ("media.factory.access", "media.factory.construct"):
            permissions.add_permission_for_role("viewer", permission, True)
        factory.set_permissions(permissions)


def main(settings: dict[str, Any]) -> None:
    """Serve until killed."""
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(settings["port"]))
    factories = []
    for path, mount in settings["mounts"].items():
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(f"( {mount['launch']} )")
        factory.connect("media-configure", on_configure, mount)
        server.get_mount_points().add_factory(path, factory)
        factories.append(factory)
    if settings["password"]:
        protect(server, factories, settings["password"])
    if not server.attach(None):
        sys.exit(f"cannot listen on port {settings['port']}")
    print(server.get_bound_port(), flush=True)  # noqa: T201
    GLib.MainLoop().run()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
