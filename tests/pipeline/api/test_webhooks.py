"""Events sent to web addresses: to real servers, of which some are slow, broken or away."""

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pipeline.api.events import Events
from pipeline.api.webhooks import Webhook, start_webhooks
from pipeline.config.load import check_config
from pipeline.config.schema import WebhookConfig
from pipeline.errors import UserError
from pipeline.run_directory.preparing import prepare


class Receiver:
    """A server that answers with the given codes in turn, then with 200."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)
        self.received: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.came = threading.Semaphore(0)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        self.headers.append(dict(handler.headers))
        code = self.codes.pop(0) if self.codes else 200
        if code == 200:
            self.received.append(json.loads(body))
        handler.send_response(code)
        if code == 302:
            handler.send_header("Location", "/elsewhere")
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        self.came.release()


@contextmanager
def listening(receiver: Receiver) -> Iterator[str]:
    """The address of ``receiver`` during the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.answer(self)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/secret-path"
        finally:
            server.shutdown()
            thread.join()


def config_of(url: str, **values: object) -> WebhookConfig:
    return WebhookConfig.model_validate({"url": url, **values})


def webhook(url: str, source: Events, waits: list[float], **values: object) -> Webhook:
    """A webhook that notes how long it would wait."""

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return False

    return Webhook(config_of(url, **values), "shop", source, wait)


def test_events_are_sent_once_and_in_order() -> None:
    receiver, events = Receiver(), Events()
    events.add({"type": "enter", "zone": "before"})
    with listening(receiver) as url:
        hook = webhook(url, events, [], headers={"Authorization": "Bearer s3cret"})
        events.add({"type": "enter", "zone": "till"})
        events.add({"type": "leave", "zone": "till"})
        assert (hook.step(), hook.step()) == (2, 0)
    assert [(one["site"], one["type"], one["zone"]) for one in receiver.received] == [
        ("shop", "enter", "till"),
        ("shop", "leave", "till"),
    ]
    assert receiver.received[0]["id"] == events.after(1, 1)[0][0]["id"]
    assert receiver.headers[0]["Authorization"] == "Bearer s3cret"
    assert receiver.headers[0]["Content-Type"] == "application/json"


def test_only_chosen_events_are_sent() -> None:
    receiver, events = Receiver(), Events()
    with listening(receiver) as url:
        hook = webhook(url, events, [], events=["camera"])
        for kind in ("enter", "camera", "cross", "missed"):
            events.add({"type": kind})
        hook.step()
    assert [one["type"] for one in receiver.received] == ["camera", "missed"]


@pytest.mark.parametrize(
    ("codes", "attempts", "waits", "lost"),
    [
        ((500, 429), 3, [1.0, 2.0], 0),
        ((500, 500, 503), 3, [1.0, 2.0], 1),
        ((400,), 3, [], 1),
        ((302,), 3, [], 1),
        ((503,) * 6, 7, [1.0, 2.0, 4.0, 8.0, 16.0, 30.0], 0),
    ],
)
def test_attempts_are_bounded(
    codes: tuple[int, ...],
    attempts: int,
    waits: list[float],
    lost: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    receiver, events, waited = Receiver(*codes), Events(), list[float]()
    with listening(receiver) as url:
        hook = webhook(url, events, waited, attempts=attempts)
        events.add({"type": "first"})
        hook.step()
        events.add({"type": "second"})
        hook.step()
    assert (waited, hook.lost) == (waits, lost)
    assert [one["type"] for one in receiver.received] == ["first", "second"][lost:]
    assert ("is lost, 1 so far" in caplog.text) == bool(lost)
    assert "secret-path" not in caplog.text


def test_a_receiver_that_is_away_does_not_hold_up_another(
    caplog: pytest.LogCaptureFixture,
) -> None:
    receiver, events, stop = Receiver(), Events(), threading.Event()
    with listening(receiver) as url, caplog.at_level(logging.WARNING):
        # Nobody listens on port 1; it is tried again and again while the other goes on.
        configs = [config_of("http://127.0.0.1:1/"), config_of(url)]
        threads = start_webhooks(configs, "shop", events, stop)
        try:
            for number in range(20):
                events.add({"type": "enter", "number": number})
                assert receiver.came.acquire(timeout=600)
        finally:
            stop.set()
            for thread in threads:
                thread.join(600)
    assert [one["number"] for one in receiver.received] == list(range(20))
    assert not any(thread.is_alive() for thread in threads)


def test_a_slow_receiver_is_told_what_it_missed() -> None:
    receiver, events = Receiver(), Events(most=2)
    with listening(receiver) as url:
        hook = webhook(url, events, [])
        for number in range(5):
            events.add({"type": "enter", "number": number})
        hook.step()
    assert receiver.received[0] == {"site": "shop", "type": "missed", "count": 3}
    assert [one["number"] for one in receiver.received[1:]] == [3, 4]


@pytest.mark.parametrize("url", ["ftp://there/", "there", "http://", ""])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(UserError, match=r"webhooks\.0\.url: expected an address"):
        check_config({"webhooks": [{"url": url}]}, "the test")


def test_no_secret_is_written_to_the_run_directory(tmp_path: Path) -> None:
    hook = {"url": "https://there/s3cret", "headers": {"Authorization": "s3cret"}}
    prepare(tmp_path / "run", check_config({"webhooks": [hook]}, "the test"))
    assert "s3cret" not in (tmp_path / "run" / "config.yaml").read_text()
