"""Sends the events of a site to the web addresses in its site file, each in a thread of its own."""

import json
import logging
import threading
import urllib.request
from collections.abc import Callable, Sequence
from http.client import HTTPException, HTTPMessage
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from pipeline.api.events import Event, Events
from pipeline.api.receiver import Receiver, start_threads
from pipeline.config.schema import WebhookConfig

_POLL_S = 0.2
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 30.0
# The answers that may be others later.
_LATER = (408, 425, 429)

_log = logging.getLogger(__name__)


class _RefusedError(Exception):
    """The receiver did not take an event; ``again`` is whether it may do so later."""

    def __init__(self, reason: str, *, again: bool) -> None:
        super().__init__(reason)
        self.again = again


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST would become a GET without the event."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> None:
        return None


class Webhook:
    """Sends events as JSON to one receiver.

    ``lost`` counts the events that it did not take. ``wait`` waits for some seconds and returns
    whether to stop.
    """

    def __init__(
        self, config: WebhookConfig, site: str, events: Events, wait: Callable[[float], bool]
    ) -> None:
        self.lost = 0
        self._config = config
        self._site = site
        self._wait = wait
        self._opener = urllib.request.build_opener(_NoRedirect)
        # The path or the user may be a secret.
        self._name = urlsplit(config.url.get_secret_value()).hostname
        self._receiver = Receiver(f"webhook {self._name}", events, config.events)

    def run(self) -> None:
        """Send events until ``wait`` says to stop."""
        while True:
            found = self.step()
            if self._wait(0.0 if found else _POLL_S):
                return

    def step(self) -> int:
        """Send the next events, if there are any; returns how many there were."""
        return self._receiver.step(self._send)

    def _send(self, event: Event) -> None:
        body = json.dumps({"site": self._site, **event}).encode()
        wait_s = _FIRST_WAIT_S
        for attempt in range(1, self._config.attempts + 1):
            try:
                self._post(body)
                return
            except _RefusedError as refused:
                if attempt == self._config.attempts or not refused.again:
                    self.lost += 1
                    _log.warning(
                        "webhook %s: %s; event %s is lost, %d so far",
                        *(self._name, refused, event.get("id", event["type"]), self.lost),
                    )
                    return
            if self._wait(wait_s):
                return
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    def _post(self, body: bytes) -> None:
        headers = {"Content-Type": "application/json", "User-Agent": "fusetrack"}
        headers |= {name: value.get_secret_value() for name, value in self._config.headers.items()}
        url = self._config.url.get_secret_value()
        request = urllib.request.Request(url, body, headers, method="POST")
        try:
            with self._opener.open(request, timeout=self._config.timeout_s):
                pass
        except HTTPError as error:
            error.close()
            again = error.code >= 500 or error.code in _LATER
            raise _RefusedError(f"answered {error.code} {error.reason}", again=again) from None
        except URLError as error:
            raise _RefusedError(f"cannot be reached: {error.reason}", again=True) from None
        except (OSError, HTTPException) as error:
            reason = str(error) or type(error).__name__
            raise _RefusedError(f"did not answer: {reason}", again=True) from None


def start_webhooks(
    configs: Sequence[WebhookConfig], site: str, events: Events, stop: threading.Event
) -> list[threading.Thread]:
    """Send events to each receiver in a thread of its own, until ``stop`` is set."""
    return start_threads(
        "webhook", [Webhook(config, site, events, stop.wait).run for config in configs]
    )
