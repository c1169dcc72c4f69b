"""Redis servers on 127.0.0.1 as tests need them: with options of their own, or as a cluster."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from certificates import Signed
from pipeline.bus.embedded_redis import find_server

SLOTS = 16384
_STARTS_WITHIN_S = 600.0
# A node of a cluster listens at its port and at this much more.
_CLUSTER_BUS = 10_000


@dataclass
class Server:
    """A server that was started here."""

    port: int
    process: subprocess.Popen[bytes]
    host: str = "127.0.0.1"

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://{self.host}:{self.port}/0"

    def client(self) -> redis.Redis:
        """A client of this very server."""
        return redis.Redis(host=self.host, port=self.port, socket_timeout=_STARTS_WITHIN_S)


def until(true: Callable[[], bool]) -> None:
    """Wait for something that servers do."""
    deadline = time.monotonic() + _STARTS_WITHIN_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def free_port() -> int:
    """A port that nobody listens at, with room for that of a cluster above it."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = int(listener.getsockname()[1])
        if port + _CLUSTER_BUS < 2**16:
            return port
        # The ports that are given away may all be high.
        port -= 2 * _CLUSTER_BUS
        with socket.socket() as other:
            if other.connect_ex(("127.0.0.1", port)):
                return port


@contextmanager
def redis_server(
    folder: Path, *options: str, binary: Path | None = None, host: str = "127.0.0.1"
) -> Iterator[Server]:
    """A server with these options, which listens."""
    folder.mkdir(parents=True, exist_ok=True)
    program = binary or find_server()
    assert program is not None
    port = free_port()
    tls = "--tls-cert-file" in options
    ports = ("--tls-port", str(port), "--port", "0") if tls else ("--port", str(port))
    process = subprocess.Popen(
        [program, *ports, "--bind", host, "--save", "", *options],
        cwd=folder,
        stdout=subprocess.DEVNULL,
    )
    server = Server(port, process, host)
    try:
        until(lambda: listens(host, port))
        yield server
    finally:
        process.kill()
        process.wait()


def listens(host: str, port: int) -> bool:
    """Whether a connection is accepted."""
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


def tls_options(own: Signed, clients: Signed) -> list[str]:
    """Options by which a server with TLS has it at its port, and wants to see its clients' too."""
    return [
        *("--tls-cert-file", str(own.certificate), "--tls-key-file", str(own.key)),
        *("--tls-ca-cert-file", str(clients.certificate), "--tls-auth-clients", "yes"),
    ]


@contextmanager
def redis_cluster(folder: Path) -> Iterator[list[Server]]:
    """Three masters, each with a replica: the servers 0 to 2, and their replicas 3 to 5."""
    options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "500")
    more = ("--cluster-replica-validity-factor", "0", "--repl-diskless-sync-delay", "0")
    with ExitStack() as stack:
        servers = [
            stack.enter_context(redis_server(folder / str(number), *options, *more))
            for number in range(6)
        ]
        clients = [stack.enter_context(server.client()) for server in servers]
        for number, client in enumerate(clients[:3]):
            slots = range(number * SLOTS // 3, (number + 1) * SLOTS // 3)
            client.execute_command("CLUSTER", "ADDSLOTS", *slots)
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for client in clients[1:]:
            client.execute_command("CLUSTER", "MEET", "127.0.0.1", servers[0].port)
        until(lambda: all(_knows(client, len(servers)) for client in clients))
        for number, client in enumerate(clients[3:]):
            master = clients[number].execute_command("CLUSTER", "MYID")
            client.execute_command("CLUSTER", "REPLICATE", master)
        until(lambda: all(_follows(client) for client in clients[3:]))
        yield servers


def _knows(client: redis.Redis, nodes: int) -> bool:
    told = client.execute_command("CLUSTER INFO")
    return told["cluster_state"] == "ok" and int(told["cluster_known_nodes"]) == nodes


def _follows(client: redis.Redis) -> bool:
    found = client.info("replication")
    return found["role"] == "slave" and found["master_link_status"] == "up"
