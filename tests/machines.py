"""Machines for tests: processes that reach one Redis, each by a way of its own that can be cut.

Everywhere there are lines of one's own on loopback; where namespaces may be made, real networks.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cut_line import Line
from redis_servers import Server, redis_server

#: Who may use the Redis of these machines, and with which password.
LOGIN = "fusetrack:s3cret"
#: Where iproute2 has the networks that it made.
_NETWORKS = Path("/run/netns")


class Way(Protocol):
    """A machine's way to Redis."""

    def cut(self) -> None:
        """Nothing passes any more, and nobody is told."""

    def mend(self, *, drop: bool) -> None:
        """Everything passes again; with ``drop`` what was on its way is lost, if that is known."""


@dataclass
class Machine:
    """Where a process runs: the file of its network, its address of Redis, and the way."""

    network: Path | None
    url: str
    way: Way


@dataclass
class Machines:
    """``count`` machines and the Redis that they share."""

    redis: Server
    machines: list[Machine]


@contextmanager
def by_what_is_here(folder: Path, rights: str, count: int) -> Iterator[Machines]:
    """By namespaces where these may be made, otherwise by lines."""
    opens = by_namespaces if _can_make_networks() else by_lines
    with opens(folder, rights, count) as found:
        yield found


@contextmanager
def by_lines(folder: Path, rights: str, count: int) -> Iterator[Machines]:
    """Each machine has an address of its own on loopback, with a line to Redis behind it."""
    with ExitStack() as stack:
        server = stack.enter_context(redis_server(folder, *_users(rights)))
        lines = [
            stack.enter_context(Line(server.port, host=f"127.0.0.{number + 2}"))
            for number in range(count)
        ]
        urls = [line.url.replace("://", f"://{LOGIN}@") for line in lines]
        machines = [Machine(None, url, line) for url, line in zip(urls, lines, strict=True)]
        yield Machines(server, machines)


@contextmanager
def by_namespaces(folder: Path, rights: str, count: int) -> Iterator[Machines]:
    """Each machine is a network namespace, with a cable to the bridge where Redis is."""
    name = f"ft{os.getpid() % 10_000}"
    net = f"10.213.{os.getpid() % 250}"
    with ExitStack() as stack:
        _must(f"link add {name} type bridge")
        stack.callback(_ip, f"link del {name}")
        _must(f"addr add {net}.1/24 dev {name}", f"link set {name} up")
        machines = []
        for number in range(count):
            space, cable = f"{name}-{number}", f"{name}v{number}"
            _must(f"netns add {space}")
            stack.callback(_ip, f"netns del {space}")
            _must(
                f"link add {cable} type veth peer name eth0 netns {space}",
                f"link set {cable} master {name} up",
                f"-n {space} addr add {net}.{number + 2}/24 dev eth0",
                f"-n {space} link set eth0 up",
            )
            machines.append(Machine(_NETWORKS / space, "", _Cable(cable)))
        server = stack.enter_context(redis_server(folder, *_users(rights), host=f"{net}.1"))
        for machine in machines:
            machine.url = server.url.replace("://", f"://{LOGIN}@")
        yield Machines(server, machines)


@dataclass
class _Cable:
    name: str

    def cut(self) -> None:
        _must(f"link set {self.name} down")

    def mend(self, *, drop: bool) -> None:
        _must(f"link set {self.name} up")


def _can_make_networks() -> bool:
    """Whether this is root, with iproute2."""
    name = f"ft{os.getpid() % 10_000}t"
    made = shutil.which("ip") is not None and _ip(f"netns add {name}") and _ip(f"netns del {name}")
    return made and _ip(f"link add {name} type bridge") and _ip(f"link del {name}")


def _users(rights: str) -> list[str]:
    """A user with ``rights`` alone; the test itself comes as the default user."""
    name, password = LOGIN.split(":")
    return [
        "--user",
        name,
        "on",
        f">{password}",
        *rights.split(),
        *("--protected-mode", "no", "--appendonly", "yes"),
    ]


def _ip(arguments: str) -> bool:
    done = subprocess.run(["ip", *arguments.split()], capture_output=True, check=False)
    return done.returncode == 0


def _must(*commands: str) -> None:
    for arguments in commands:
        subprocess.run(["ip", *arguments.split()], capture_output=True, check=True)
