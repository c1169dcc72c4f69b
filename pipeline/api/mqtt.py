"""Sends the events of a site to the MQTT brokers in its site file, each in a thread of its own.

MQTT 5 (https://docs.oasis-open.org/mqtt/mqtt/v5.0/), because only since then a broker says that it
refused a message. Each event is sent until the broker has acknowledged it (quality of service 1).
"""

import json
import logging
import secrets
import ssl
import threading
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from pipeline.api.events import Event, Events
from pipeline.api.receiver import Receiver, start_threads
from pipeline.config.schema import MqttConfig
from pipeline.errors import UserError

_POLL_S, _ANSWER_POLL_S = 0.2, 0.01
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1, 30
_KEEP_ALIVE_S = 30
# What is under way at the end is waited for, shorter than the API waits for its threads.
_END_S = 2.0
_ONCE_AT_LEAST = 1
_PORTS = {"mqtt": 1883, "mqtts": 8883}

_log = logging.getLogger(__name__)


class MqttPublisher:
    """Sends events as JSON to one broker, as ``TOPIC/SITE/TYPE``.

    ``TOPIC/SITE/status`` is "online" and, by the will of the connection, "offline"; it is retained.
    ``lost`` counts the events that the broker refused. ``wait`` waits for some seconds and returns
    whether to stop. Raises UserError for a TLS file that cannot be used.
    """

    def __init__(
        self, config: MqttConfig, site: str, events: Events, wait: Callable[[float], bool]
    ) -> None:
        self.lost = 0
        self._config = config
        self._site = site
        self._wait = wait
        self._prefix = f"{config.topic}/{site}"
        self._address = urlsplit(config.url.get_secret_value())
        # User and password stand beside it.
        self._name = str(self._address.hostname)
        self._receiver = Receiver(f"mqtt {self._name}", events, config.events)
        self._sent: list[tuple[int, Event]] = []
        self._answers: dict[int, ReasonCode] = {}
        self._client = self._opened()

    def run(self) -> None:
        """Send events until ``wait`` says to stop."""
        self.start()
        try:
            while not self._wait(0.0 if self.step() else _POLL_S):
                pass
        finally:
            self.close()

    def start(self) -> None:
        """Connect, now or as soon as the broker is there, and again whenever it was away."""
        port = self._address.port or _PORTS[self._address.scheme]
        self._client.connect_async(self._name, port, _KEEP_ALIVE_S)
        self._client.loop_start()

    def step(self) -> int:
        """Send the next events and await the answers; returns how many events there were."""
        # At most this many wait in the client, the others in `Events`.
        found = self._receiver.step(self._publish)
        while self._is_waiting():
            if self._wait(_ANSWER_POLL_S):
                break
        return found

    def close(self) -> None:
        """Wait a little for the last answers, say goodbye, and log what was not sent."""
        pause = threading.Event()
        for _ in range(int(_END_S / _ANSWER_POLL_S)):
            if not self._is_waiting() or not self._client.is_connected():
                break
            pause.wait(_ANSWER_POLL_S)
        unsent = len(self._sent) + self._receiver.left
        if unsent:
            _log.warning("mqtt %s: %d events were not sent before the end", self._name, unsent)
        self._client.publish(f"{self._prefix}/status", "offline", _ONCE_AT_LEAST, retain=True)
        self._client.disconnect()
        self._client.loop_stop()

    def _opened(self) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"fusetrack-{secrets.token_hex(6)}",
            protocol=MQTTv5,
        )
        if self._address.username:
            password = self._address.password
            client.username_pw_set(
                unquote(self._address.username), None if password is None else unquote(password)
            )
        if self._address.scheme == "mqtts":
            client.tls_set_context(_context(self._config))
        client.will_set(f"{self._prefix}/status", "offline", _ONCE_AT_LEAST, retain=True)
        client.reconnect_delay_set(_FIRST_WAIT_S, _LONGEST_WAIT_S)
        client.on_connect = self._connected
        client.on_connect_fail = self._unreachable
        client.on_disconnect = self._disconnected
        client.on_publish = self._answered
        return client

    def _publish(self, event: Event) -> None:
        body = json.dumps({"site": self._site, **event})
        topic = f"{self._prefix}/{event['type']}"
        self._sent.append((self._client.publish(topic, body, _ONCE_AT_LEAST).mid, event))

    def _is_waiting(self) -> bool:
        """Whether the broker has still to answer; takes the answers that have come."""
        waiting = []
        for number, event in self._sent:
            answer = self._answers.pop(number, None)
            if answer is None:
                waiting.append((number, event))
            elif answer.is_failure:
                self.lost += 1
                _log.warning(
                    "mqtt %s: answered %s; event %s is lost, %d so far",
                    *(self._name, answer, event.get("id", event["type"]), self.lost),
                )
        self._sent = waiting
        return bool(waiting)

    def _answered(
        self, client: Client, data: Any, number: int, answer: ReasonCode, more: Properties
    ) -> None:
        self._answers[number] = answer

    def _connected(
        self,
        client: Client,
        data: Any,
        flags: ConnectFlags,
        answer: ReasonCode,
        more: Properties | None,
    ) -> None:
        if answer.is_failure:
            _log.warning("mqtt %s: refused the connection: %s. Retrying", self._name, answer)
            return
        _log.info("mqtt %s: connected", self._name)
        client.publish(f"{self._prefix}/status", "online", _ONCE_AT_LEAST, retain=True)

    def _unreachable(self, client: Client, data: Any) -> None:
        _log.warning("mqtt %s: cannot be reached. Retrying", self._name)

    def _disconnected(
        self,
        client: Client,
        data: Any,
        flags: DisconnectFlags,
        reason: ReasonCode,
        more: Properties | None,
    ) -> None:
        if reason.is_failure:
            _log.warning("mqtt %s: lost the connection: %s. Retrying", self._name, reason)


def _context(config: MqttConfig) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=config.ca)
        if config.certificate is not None:
            context.load_cert_chain(config.certificate, config.key)
    except OSError as error:
        files = ", ".join(x for x in (config.ca, config.certificate, config.key) if x is not None)
        raise UserError(
            f"cannot use the TLS files of mqtt ({files}): {error.strerror or error}: expected PEM "
            "files"
        ) from None
    return context


def start_mqtt(
    configs: Sequence[MqttConfig], site: str, events: Events, stop: threading.Event
) -> list[threading.Thread]:
    """Send events to each broker in a thread of its own, until ``stop`` is set.

    Raises UserError for a TLS file that cannot be used.
    """
    return start_threads(
        "mqtt", [MqttPublisher(config, site, events, stop.wait).run for config in configs]
    )
