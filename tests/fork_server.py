"""`fusetrack ARGUMENTS` as a process, without the two seconds in which Python imports everything.

The first command of a process of tests starts a server that has imported what commands need (see
`forked_command`). Each command is a fork of it: with arguments, environment, folder, streams and
signals like a program that was started, and a child of the tests as one would be.
"""

import atexit
import ctypes
import inspect
import os
import pickle
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

_PR_SET_CHILD_SUBREAPER = 36
_PROGRAM = Path(__file__).with_name("forked_command.py")
#: The parameters of the method that is replaced.
_GIVEN = tuple(inspect.signature(subprocess.Popen._execute_child).parameters)[2:]  # type: ignore[attr-defined]
_PIPES = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")


class Forked(subprocess.Popen[Any]):
    """A `subprocess.Popen` whose program is ``fusetrack``: only the way it starts differs.

    ``network``, where one is given, is the file of the network namespace that it is in.
    """

    def __init__(self, args: list[str], *, network: Path | None = None, **options: Any) -> None:
        self._network = network
        super().__init__(args, **options)

    def _execute_child(self, args: list[str], *rest: Any) -> None:
        given = dict(zip(_GIVEN, rest, strict=True))
        request = {
            "arguments": args,
            "environment": dict(os.environ if given["env"] is None else given["env"]),
            "folder": os.fspath(given["cwd"] or os.getcwd()),
            "session": given["start_new_session"],
            "network": self._network,
        }
        streams = [given[name] for name in ("p2cread", "c2pwrite", "errwrite")]
        self.pid = _server().fork(request, streams)
        self._child_created = True
        self._close_pipe_fds(*(given[name] for name in _PIPES))  # type: ignore[attr-defined]


def start(*arguments: object, **options: Any) -> subprocess.Popen[Any]:
    """`fusetrack ARGUMENTS` in the background, with options of `Forked`."""
    return Forked([str(argument) for argument in arguments], **options)


def run(
    *arguments: object, timeout: float | None = None, **options: Any
) -> subprocess.CompletedProcess[Any]:
    """How `fusetrack ARGUMENTS` ended. What it wrote is kept unless ``options`` say where to."""
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    with start(*arguments, **given) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        finally:
            process.kill()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


class _Server:
    def __init__(self) -> None:
        self._line, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, str(_PROGRAM), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        self._answers = self._line.makefile("rb")

    def fork(self, request: dict[str, Any], streams: list[int]) -> int:
        """The id of the process of a command. A stream of -1 is the one of this process."""
        given = [own if stream == -1 else stream for own, stream in enumerate(streams)]
        body = pickle.dumps(request)
        libc = ctypes.CDLL(None)
        # Its parent has ended when the answer comes, so that it becomes a child of this process.
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
        try:
            socket.send_fds(self._line, [len(body).to_bytes(4)], given)
            self._line.sendall(body)
            return int.from_bytes(self._answers.read(4))
        finally:
            libc.prctl(_PR_SET_CHILD_SUBREAPER, 0)

    def end(self) -> None:
        """Ask it to end, and wait until it has."""
        self._answers.close()
        self._line.close()
        self._process.wait()


@cache
def _server() -> _Server:
    server = _Server()
    atexit.register(server.end)
    return server
