"""An old-fashioned web camera on 127.0.0.1 that asks for a password and sends JPEG pictures."""

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

import cv2

from videos import picture

STEP_S = 0.1


class _Camera(BaseHTTPRequestHandler):
    login = b""
    closing = threading.Event()

    def do_GET(self) -> None:
        """Pictures for as long as they are wanted."""
        if self.headers["Authorization"] != f"Basic {base64.b64encode(self.login).decode()}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
        self.end_headers()
        for number in count():
            data = cv2.imencode(".jpg", picture(number % 256, (320, 240)))[1].tobytes()
            head = f"--next\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
            try:
                self.wfile.write(head.encode() + data + b"\r\n")
            except OSError:
                return
            if self.closing.wait(STEP_S):
                return

    def log_message(self, format: str, *args: object) -> None:
        """Nothing to say."""


@contextmanager
def web_camera(user: str, password: str) -> Iterator[int]:
    """The port of a camera that lives as long as the block."""
    closing = threading.Event()
    login = f"{user}:{password}".encode()
    handler = type("Camera", (_Camera,), {"login": login, "closing": closing})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = False
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_port
        finally:
            closing.set()
            server.shutdown()
            thread.join()
