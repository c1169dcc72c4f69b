"""The server of `fork_server`: ``python forked_command.py SOCKET``. Each fork runs one command."""

import ctypes
import gc
import importlib
import os
import pickle
import signal
import socket
import sys
from typing import Any

import forked_coverage

_CLONE_NEWNET = 0x40000000
#: What commands import while they run. Not PyTorch, which is not loaded where OpenVINO is used.
_NEEDED = (
    *("pipeline.cli.main", "pipeline.config.load", "pipeline.monitoring.web"),
    *("pipeline.runtime.run", "pipeline.runtime.processes", "pipeline.runtime.reload"),
    *("pipeline.api.server", "pipeline.exports", "pipeline.detector.openvino_network"),
    *("pipeline.pictures.mosaic", "reid_model.embedder"),
)


def _serve(line: socket.socket) -> dict[str, Any]:
    """Fork for each request; returns, in the fork, what it asks for."""
    while True:
        head, streams, _, _ = socket.recv_fds(line, 4, 3)
        if not head:
            sys.exit()
        body = _read(line, int.from_bytes(head))
        told, tells = os.pipe()
        child = os.fork()
        if child == 0:
            # A fork of a fork: the parent of it ends, and the tests adopt it.
            command = os.fork()
            if command:
                os.write(tells, command.to_bytes(4))
                os._exit(0)
            for own in (line.detach(), told, tells):
                os.close(own)
            return {**pickle.loads(body), "streams": streams}
        os.waitpid(child, 0)
        line.sendall(os.read(told, 4))
        for own in (told, tells, *streams):
            os.close(own)


def _read(line: socket.socket, size: int) -> bytes:
    body = b""
    while len(body) < size:
        body += line.recv(size - len(body))
    return body


def _become(
    streams: list[int],
    arguments: list[str],
    environment: dict[str, str],
    folder: str,
    session: bool,
    network: str | os.PathLike[str] | None,
) -> None:
    """Be a program that was started like this."""
    if network is not None:
        _enter(network)
    if session:
        os.setsid()
    for own, stream in enumerate(streams):
        os.dup2(stream, own)
        os.close(stream)
    # Those of the server know that /dev/null is no pipe.
    sys.stdin = sys.__stdin__ = open(0, closefd=False)
    sys.stdout = sys.__stdout__ = open(1, "w", closefd=False)
    sys.stderr = sys.__stderr__ = open(
        2, "w", buffering=1, errors="backslashreplace", closefd=False
    )
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["fusetrack", *arguments]
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _enter(network: str | os.PathLike[str]) -> None:
    with open(network) as namespace:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(namespace.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "cannot enter the network", str(network))


if __name__ == "__main__":
    # Ctrl-C goes to the whole group, and the tests end this server.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.path[0] = os.getcwd()
    forked_coverage.measure()
    for name in _NEEDED:
        importlib.import_module(name)
    gc.collect()
    # The memory of what was imported stays shared with the forks.
    gc.freeze()
    _become(**_serve(socket.socket(fileno=int(sys.argv[1]))))
    forked_coverage.keep_at_end()
    from pipeline.cli.main import main

    main()
