"""The API over a real socket, for its tests: of a live site over a real Redis, or of a past run.

That of a live site reads the streams only on request, so that tests need not wait.
"""

import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import fastapi.routing
import httpx
from fastapi import FastAPI
from websockets.sync.client import ClientConnection, connect

from buses import send
from pipeline.api.app import make_app
from pipeline.api.archive import Archive
from pipeline.api.plan import Plan
from pipeline.api.recorded import RecordedPictures, RecordedSite
from pipeline.api.server import Server, open_listener, server_config
from pipeline.api.site import Follower, LiveSite
from pipeline.api.users import API, User, Users
from pipeline.api.viewer import LivePictures
from pipeline.bus.messages import Message
from pipeline.bus.streams import Bus
from pipeline.config.load import check_config

TOKEN = "a-token-of-the-tests"
VIEWER_TOKEN = "a-token-of-a-viewer"

# Most of the time to make an app goes into the fields of answers, the same in each app.
fastapi.routing.create_model_field = cache(  # type: ignore[attr-defined]
    fastapi.routing.create_model_field  # type: ignore[attr-defined]
)


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Listening:
    """``app`` on a port of its own; ``http`` is a client without a token."""

    def __init__(self, app: FastAPI, stop: threading.Event) -> None:
        self._socket = open_listener("127.0.0.1", 0)
        self._server = Server(server_config(app), stop)
        self._thread = threading.Thread(target=self._server.run, args=[[self._socket]])
        self._thread.start()
        self.place = "{}:{}".format(*self._socket.getsockname())
        self.http = httpx.Client(base_url=f"http://{self.place}", timeout=600)

    def close(self) -> None:
        """Shut it down as its process would."""
        self.http.close()
        self._server.end()
        self._thread.join()
        self._socket.close()


class RecordedApi(Listening):
    """The API of the run directory ``out``; ``values`` are those of its site."""

    def __init__(
        self,
        out: Path,
        *,
        token: str | None = None,
        plan: Plan | None = None,
        file: Path | None = None,
        **values: object,
    ) -> None:
        config = check_config({"site": "shop", **values}, "the test")
        stop = threading.Event()
        site, users = RecordedSite(config, Archive(out)), Users(_tokens(token), Clock())
        super().__init__(
            make_app(
                site,
                RecordedPictures(out),
                users=users,
                local=True,
                stop=stop,
                plan=plan,
                file=file,
            ),
            stop,
        )


def _tokens(token: str | None) -> dict[str, User]:
    """The users of an API with a token: one with it, and a guest."""
    return {} if token is None else {token: API, VIEWER_TOKEN: User("guest", "viewer")}


class LiveApi(Listening):
    """The API of a live site."""

    def __init__(
        self,
        bus: Bus,
        *,
        out: Path | None = None,
        token: str | None = None,
        gallery_s: float = 600.0,
        cameras: Sequence[str] | Mapping[str, dict[str, object]] = ("gate", "hall"),
        file: Path | None = None,
        **places: object,
    ) -> None:
        known = cameras if isinstance(cameras, Mapping) else {name: {} for name in cameras}
        source = "rtsp://user:pass-word@10.0.0.7/1"
        values: dict[str, object] = {
            "site": bus.site,
            "cameras": {name: {"source": source, **more} for name, more in known.items()},
            "association": {"gallery_s": gallery_s},
            **places,
        }
        self.bus = bus
        self.monotonic, self.clock = Clock(), Clock()
        archive = None if out is None else Archive(out)
        config = check_config(values, "the test")
        self.site = LiveSite(config, archive, self.monotonic, self.clock, bus)
        self.follower = Follower(bus, self.site)
        self.stop = threading.Event()
        app = make_app(
            self.site,
            LivePictures(bus, self.stop),
            users=Users(_tokens(token), self.clock),
            local=True,
            stop=self.stop,
            bus=bus,
            file=file,
        )
        super().__init__(app, self.stop)

    def receive(self, stream: str, *messages: Message) -> None:
        """Send messages and have the API read them."""
        send(self.bus, stream, messages)
        self.follower.step()

    def events(self, query: str = "", **headers: str) -> ClientConnection:
        """A client connected to the events."""
        address = f"ws://{self.place}/events{query}"
        return connect(address, additional_headers=headers, open_timeout=600)

    def wall(self, query: str = "") -> ClientConnection:
        """A client connected to the wall."""
        return connect(f"ws://{self.place}/wall{query}", open_timeout=600)

    def close(self) -> None:
        """Shut it down as its process would."""
        super().close()
        self.bus.__exit__(None, None, None)
