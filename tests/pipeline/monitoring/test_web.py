import socket
import urllib.error
import urllib.request
from http import HTTPStatus

import pytest

from pipeline.errors import UserError
from pipeline.monitoring.web import PageResponse, is_own_name, plain, serve

PAGES = {
    "/good": lambda: PageResponse(b"5\n", content_type="text/numbers"),
    "/bad": lambda: plain("not\nyet", HTTPStatus.SERVICE_UNAVAILABLE),
}


def get(address: str, path: str, method: str = "GET") -> tuple[int, str, str]:
    """Status, type and text of a page."""
    request = urllib.request.Request(f"http://{address}{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=600) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


def test_pages_are_served_with_their_type() -> None:
    with serve("127.0.0.1:0", PAGES) as address:
        assert get(address, "/good?x=1") == (200, "text/numbers", "5\n")
        assert get(address, "/good", "HEAD") == (200, "text/numbers", "")
        assert get(address, "/bad") == (503, "text/plain; charset=utf-8", "not yet\n")
        assert get(address, "/")[::2] == (404, "expected one of /good, /bad\n")
        assert get(address, "/good", "POST")[0] == 501


def test_the_port_is_free_again_afterwards() -> None:
    with serve("127.0.0.1:0", PAGES) as address:
        pass
    with serve(address, PAGES) as again:
        assert again == address


def test_a_used_port_is_reported_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UserError) as raised, serve(address, PAGES):
            pass
    assert str(raised.value).startswith(
        f"cannot serve metrics at {address}: Address already in use. Give --metrics"
    )


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(UserError, match=r"cannot serve metrics at 192\.0\.2\.1:0: "):
        serve("192.0.2.1:0", PAGES).__enter__()


def test_an_ipv6_address_is_served() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        with serve("[::1]:0", PAGES) as address:
            assert get(address, "/good")[0] == 200
    except UserError as error:
        pytest.skip(str(error))


OWN = ["127.0.0.1:9100", "[::1]:9100", "10.0.0.7", "localhost:9100", "node:9100", "cam.local"]
OWN += ["NODE.lan", "node.shop.svc", "node.example.com:9100", "node.example.com."]
FOREIGN = ["evil.example:9100", "127.0.0.1.evil.example", "node.example.com.evil.example", ""]
FOREIGN += ["localhost.evil.example", "evil.example:9100:9100"]


@pytest.mark.parametrize(
    ("host", "own"), [*((host, True) for host in OWN), *((host, False) for host in FOREIGN)]
)
def test_only_names_that_no_web_page_can_have_are_answered(host: str, own: bool) -> None:
    assert is_own_name(host, ["node.example.com"]) is own


def test_a_web_page_that_had_its_name_lead_here_is_refused() -> None:
    with serve("127.0.0.1:0", PAGES, ["node.example.com"]) as address:
        for host, status in (("evil.example", 400), ("node.example.com", 200)):
            request = urllib.request.Request(f"http://{address}/good", headers={"Host": host})
            if status == 200:
                with urllib.request.urlopen(request, timeout=600) as answer:
                    assert answer.read() == b"5\n"
                continue
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(request, timeout=600)
            with refused.value as error:
                assert error.code == status
                assert b"service.hosts" in error.read()
