"""Runs the live API: its socket, the thread that reads the streams, and its shutdown."""

import ipaddress
import logging
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType

import uvicorn

from pipeline.analytics.places import check_places_of
from pipeline.analytics.statistics import check_places_in
from pipeline.api.app import make_app
from pipeline.api.archive import Archive
from pipeline.api.mqtt import start_mqtt
from pipeline.api.plan import Plan, read_plan
from pipeline.api.recorded import RecordedPictures, RecordedSite
from pipeline.api.site import Follower, LiveSite
from pipeline.api.users import TOKEN_VARIABLE, Users, users_of
from pipeline.api.viewer import LivePictures
from pipeline.api.webhooks import start_webhooks
from pipeline.bus.connection import BusLostError, Retry
from pipeline.bus.streams import Bus
from pipeline.config.schema import SiteConfig, host_and_port
from pipeline.errors import UserError
from pipeline.run_directory.preparing import plan_path
from pipeline.run_directory.progress import RecorderProgress, read_cameras, read_progress
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.selection import EVERYTHING, Selection
from pipeline.runtime.stopping import Stop

_log = logging.getLogger(__name__)

# Time for open connections to close on shutdown.
_SHUTDOWN_S = 3
# Longer than browsers keep a connection that rests: one that is closed while they send a change is
# not tried again.
_KEEP_ALIVE_S = 330


class Server(uvicorn.Server):
    """uvicorn that also sets ``stop`` when it ends, so that streaming responses end too."""

    def __init__(self, config: uvicorn.Config, stop: threading.Event) -> None:
        super().__init__(config)
        self._stop_event = stop

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        self._stop_event.set()
        super().handle_exit(sig, frame)

    def end(self) -> None:
        """End without a signal."""
        self._stop_event.set()
        self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        """End also for a signal that came before this server handled signals."""
        return self._stop_event.is_set() or await super().on_tick(counter)


class _Following(threading.Thread):
    """Runs ``follower`` until ``stop`` is set. After an error it calls ``on_fault``."""

    def __init__(
        self, follower: Follower, stop: threading.Event, on_fault: Callable[[], None]
    ) -> None:
        super().__init__(name="follower", daemon=True)
        self.error: Exception | None = None
        self._follower = follower
        self._stop_event = stop
        self._on_fault = on_fault

    def run(self) -> None:
        try:
            self._follower.run(self._stop_event, self._on_fault)
        # An exception in a thread would only be printed; the owner raises it.
        except Exception as error:  # noqa: BLE001
            self.error = error


def serve(
    config: SiteConfig,
    out: Path | None,
    stop: Stop,
    on_ready: Callable[[str], None] = lambda address: None,
    selection: Selection = EVERYTHING,
    file: Path | None = None,
) -> None:
    """Serve the site of ``config`` until a signal; ``on_ready`` is called with the URL.

    ``out`` is the run directory of its recorder, on this machine, of which ``selection`` is shown.
    Calibrations are saved to ``file``, from which ``config`` was loaded.
    Raises UserError when a zone or line does not fit the cameras, a non-local address has no token,
    the address is in use, Redis refuses the connection, or a TLS file cannot be used, and any error
    that ended the reading of the streams.
    """
    users = _checked_users(config)
    recorded = [] if out is None else read_cameras(out)
    check_places_of(config, {c.camera_id: (c.width, c.height) for c in recorded})
    plan = None if config.plan is None else read_plan(config.plan)
    url, name = site_address(config, out)
    retry = Retry(stop.input, time.monotonic)
    with (
        _listener(config) as listener,
        retry.call(partial(Bus, url, name)) as bus,
    ):
        archive = None if out is None else Archive(out, selection)
        site = LiveSite(config, archive, time.monotonic, time.time, bus)
        follower = Follower(bus, site)
        pictures = LivePictures(bus, stop.input)
        app = make_app(
            site,
            pictures,
            users=users,
            local=_is_local(config),
            stop=stop.input,
            plan=plan,
            bus=bus,
            file=file,
        )
        server = Server(server_config(app), stop.input)
        following = _Following(follower, stop.input, server.end)
        # Before there are events.
        senders = start_mqtt(config.mqtt, config.site, site.events, stop.input)
        senders += start_webhooks(config.webhooks, config.site, site.events, stop.input)
        following.start()
        on_ready(_url(listener))
        server.run([listener])
        stop.input.set()
        for thread in (following, *senders):
            thread.join(_SHUTDOWN_S)
        if following.error is not None:
            raise following.error


def serve_recorded(
    config: SiteConfig,
    out: Path,
    stop: Stop,
    on_ready: Callable[[str], None] = lambda address: None,
    selection: Selection = EVERYTHING,
) -> None:
    """Serve the run directory ``out`` alone, as `serve`, but without Redis.

    Raises UserError as `serve`, and when it is no run directory.
    """
    users, plan = _checked_users(config), _recorded_plan(config, out)
    RunDirectory(out, selection)
    check_places_in(RunDirectory(out), config)
    with _listener(config) as listener:
        site = RecordedSite(config, Archive(out, selection))
        pictures = RecordedPictures(out)
        app = make_app(
            site, pictures, users=users, local=_is_local(config), stop=stop.input, plan=plan
        )
        on_ready(_url(listener))
        Server(server_config(app), stop.input).run([listener])


def _recorded_plan(config: SiteConfig, out: Path) -> Plan | None:
    """The plan that the recorder copied into the run directory."""
    if config.plan is None:
        return None
    path = plan_path(out, config.plan.picture)
    if not path.is_file():
        _log.warning("%s is missing: the map has no plan", path)
        return None
    return read_plan(config.plan.model_copy(update={"picture": str(path)}))


def _checked_users(config: SiteConfig) -> Users:
    users = users_of(config.api, time.time)
    if users.is_open and not _is_local(config):
        raise UserError(
            f"api.listen is {config.api.listen}, which other machines can reach, without a token: "
            f"set api.token in the site file or {TOKEN_VARIABLE}, for example to the output of "
            "`openssl rand -hex 24`, or listen on 127.0.0.1"
        )
    return users


def _is_local(config: SiteConfig) -> bool:
    return is_local(host_and_port(config.api.listen)[0])


def _listener(config: SiteConfig) -> socket.socket:
    return open_listener(*host_and_port(config.api.listen))


def has_ended(out: Path) -> bool:
    """Whether the run in the run directory ``out`` has ended: it finished, or its Redis is gone.

    Raises UserError when it is no run directory, and when its Redis refuses the connection.
    """
    config, progress = RunDirectory(out).config(), read_progress(out)
    url = progress.redis or config.get("redis")
    if progress.finished or not url:
        return True
    try:
        with Bus(str(url), progress.site or str(config.get("site"))) as bus:
            return bus.run() != progress.run
    except BusLostError:
        return True


def site_address(config: SiteConfig, out: Path | None) -> tuple[str, str]:
    """The URL of the site's Redis and the name of the site in it.

    `fusetrack run` gives each run its own site name and may start an embedded Redis; both are read
    from its run directory ``out``. Raises UserError when no Redis is known.
    """
    progress = RecorderProgress() if out is None else read_progress(out)
    if progress.finished:
        progress = RecorderProgress()
    url = config.redis or progress.redis
    if not url:
        raise UserError(
            "no Redis: give --redis URL, set redis in the configuration, or give --out the "
            "directory of a running `fusetrack run`"
        )
    return url, progress.site or config.site


def server_config(app: object) -> uvicorn.Config:
    """The uvicorn configuration of ``app``, without an access log, as URLs may contain a token."""
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        http="h11",
        ws="websockets-sansio",
        # Most of it are JPEGs.
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        log_level=logging.WARNING,
        access_log=False,
        server_header=False,
        # Clients only send control frames.
        ws_max_size=4096,
        timeout_graceful_shutdown=_SHUTDOWN_S,
        timeout_keep_alive=_KEEP_ALIVE_S,
    )


def is_local(host: str) -> bool:
    """Whether ``host`` can be reached from this computer only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def open_listener(host: str, port: int) -> socket.socket:
    """Open a listening socket, on a free port for port 0. Raises UserError when that fails."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"cannot listen on {host}:{port}: {reason}. Give --listen another HOST:PORT"
        ) from error


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
