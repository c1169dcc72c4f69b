"""A mosquitto on 127.0.0.1 with users, with and without TLS, and a program that reads from it."""

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from certificates import authority, need_openssl, signed
from redis_servers import free_port, listens, until

PASSWORD = "p@ss/w:rd"
PASSWORD_IN_URL = "p%40ss%2Fw%3Ard"
_SETTINGS = """\
per_listener_settings false
persistence false
password_file {folder}/users
acl_file {folder}/rights
listener {port} 127.0.0.1
listener {tls_port} 127.0.0.1
certfile {own.certificate}
keyfile {own.key}
"""
_RIGHTS = "user camera\ntopic readwrite shop/#\nuser reader\ntopic read #\n"


class Broker:
    """A broker in which ``camera`` may write below shop/ and ``reader`` may read."""

    def __init__(self, folder: Path) -> None:
        need_openssl()
        self._program = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
        if self._program is None:
            reason = "no mosquitto is available: install the Debian package mosquitto"
            (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
        by = authority(folder, "authority")
        self.authority = by.certificate
        self.port, self.tls_port = free_port(), free_port()
        own = signed(folder, "broker", by)
        self._settings = folder / "settings"
        # As root it would become the user mosquitto, who may not read the folders of pytest.
        user = "user root\n" if os.getuid() == 0 else ""
        self._settings.write_text(
            user + _SETTINGS.format(folder=folder, port=self.port, tls_port=self.tls_port, own=own)
        )
        users, rights = folder / "users", folder / "rights"
        rights.write_text(_RIGHTS)
        users.touch(mode=0o600)
        for name in ("camera", "reader"):
            subprocess.run(["mosquitto_passwd", "-b", users, name, PASSWORD], check=True)

    @contextmanager
    def running(self) -> Iterator[None]:
        """The broker listens during the block."""
        assert self._program is not None
        process = subprocess.Popen([self._program, "-c", self._settings], stderr=subprocess.DEVNULL)
        try:
            until(lambda: listens("127.0.0.1", self.tls_port))
            yield
        finally:
            process.terminate()
            process.wait()

    @contextmanager
    def reader(self) -> Iterator["Reader"]:
        """A program that reads everything during the block."""
        reader = Reader(self.port)
        try:
            yield reader
        finally:
            reader.close()


class Reader:
    """Keeps what is published: topic, payload and whether it was retained."""

    def __init__(self, port: int) -> None:
        self.received: list[tuple[str, str]] = []
        self._changed = threading.Condition()
        subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.username_pw_set("reader", PASSWORD)
        self._client.on_message = self._take
        self._client.on_connect = lambda client, *_: client.subscribe("#", 1)
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert subscribed.wait(600)

    def close(self) -> None:
        """Stop reading."""
        self._client.disconnect()
        self._client.loop_stop()

    def until(self, true: Callable[[], bool]) -> None:
        """Wait for messages."""
        with self._changed:
            assert self._changed.wait_for(true, 600)

    def events(self) -> list[dict[str, Any]]:
        """The events that came, without the states of the publisher."""
        return [json.loads(text) for topic, text in self.received if not topic.endswith("/status")]

    def _take(self, client: Client, data: Any, message: MQTTMessage) -> None:
        with self._changed:
            self.received.append((message.topic, message.payload.decode()))
            self._changed.notify_all()
