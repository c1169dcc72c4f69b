"""Authentication: tokens, host names, other origins, and what is logged."""

import logging
from collections.abc import Callable

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from live_api import TOKEN, LiveApi
from pipeline.api.server import is_local, open_listener
from pipeline.api.users import User, Users, users_of
from pipeline.config.load import check_config
from pipeline.config.schema import ApiConfig
from pipeline.errors import UserError

ASKED = ["/cameras", "/cameras/gate", "/identities", "/identities/1/path", "/openapi.json", "/none"]
SHOWN = {"Authorization": f"Bearer {TOKEN}"}


def users(api: dict[str, object]) -> Users:
    """The users of this section of a configuration."""
    return users_of(ApiConfig.model_validate(api), lambda: 0.0)


@pytest.fixture
def guarded(open_api: Callable[..., LiveApi]) -> LiveApi:
    """An API with a token."""
    return open_api(token=TOKEN)


@pytest.mark.parametrize("path", ASKED)
@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": f"Basic {TOKEN}"}],
    ids=["none", "wrong", "other scheme"],
)
def test_without_the_token_everything_is_refused(
    guarded: LiveApi, path: str, headers: dict[str, str]
) -> None:
    answer = guarded.http.get(path, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "Bearer TOKEN" in answer.json()["detail"]


def test_with_the_token_everything_is_served(guarded: LiveApi) -> None:
    answer = guarded.http.get("/cameras", headers=SHOWN)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_health_checks_need_no_token(guarded: LiveApi) -> None:
    assert guarded.http.get("/healthz").json() == {"status": "ok"}


def test_a_token_in_the_query_is_for_pictures_and_events_only(guarded: LiveApi) -> None:
    # 404: the token was accepted, but there is no such camera.
    for path in ("/cameras/none/snapshot.jpg", "/cameras/none/preview.mjpeg"):
        assert guarded.http.get(f"{path}?token={TOKEN}").status_code == 404
        assert guarded.http.get(f"{path}?token=wrong").status_code == 401
    assert guarded.http.get(f"/cameras?token={TOKEN}").status_code == 401
    with guarded.events(f"?token={TOKEN}") as listener:
        assert listener.ping().wait(20)
    with guarded.events(**SHOWN) as listener:
        assert listener.ping().wait(20)
    with pytest.raises(InvalidStatus, match="403"):
        guarded.events("?token=wrong")


def test_the_token_appears_in_no_log(guarded: LiveApi, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    # Lines of the test client do not count.
    for name in ("httpx", "httpcore", "websockets.client"):
        caplog.set_level(logging.CRITICAL, name)
    with guarded.events(f"?token={TOKEN}") as listener:
        assert listener.ping().wait(20)
    with pytest.raises(InvalidStatus):
        guarded.events(f"?token={TOKEN}-wrong")
    guarded.http.get(f"/cameras/none/snapshot.jpg?token={TOKEN}")
    guarded.http.get("/cameras", headers=SHOWN)
    guarded.http.get(f"/cameras?token={TOKEN}")
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("host", ["attacker.example", "attacker.example:8710", "127.0.0.1.evil"])
def test_without_a_token_only_the_names_of_this_computer_are_answered(
    api: LiveApi, host: str
) -> None:
    assert api.http.get("/cameras", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8710", "[::1]:8710"])
def test_the_names_of_this_computer_are_answered(api: LiveApi, host: str) -> None:
    assert api.http.get("/cameras", headers={"Host": host}).status_code == 200


def test_another_origin_cannot_open_a_websocket(api: LiveApi) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        api.events(Origin="http://attacker.example")
    with api.events(Origin=f"http://{api.place}") as listener:
        assert listener.ping().wait(20)


def test_a_token_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FUSETRACK_API_TOKEN", raising=False)
    assert users({}).is_open
    in_file = {"token": "of-the-site-file"}
    assert users(in_file).with_token("of-the-site-file") == User("api", "editor")
    monkeypatch.setenv("FUSETRACK_API_TOKEN", "of-the-environment")
    assert users(in_file).with_token("of-the-site-file") is None
    assert users(in_file).with_token("of-the-environment") == User("api", "editor")


@pytest.mark.parametrize("token", ["x" * 15, "with a space in it", "ümlaut-ümlaut-ümlaut"])
def test_a_weak_token_is_refused_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("FUSETRACK_API_TOKEN", token)
    with pytest.raises(UserError, match="16 or more ASCII characters") as refused:
        users({})
    assert token not in str(refused.value)


def test_a_token_of_the_minimum_length_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FUSETRACK_API_TOKEN", "x" * 16)
    assert users({}).with_token("x" * 16)


def test_a_token_that_is_not_text_is_not_repeated() -> None:
    with pytest.raises(UserError, match=r"api\.token") as refused:
        check_config({"api": {"token": 1234567890123456}}, "site.yaml")
    assert "1234567890123456" not in str(refused.value)


@pytest.mark.parametrize("listen", ["8710", "127.0.0.1", "::1:8710x", "127.0.0.1:99999", ""])
def test_a_wrong_address_is_refused(listen: str) -> None:
    with pytest.raises(UserError, match=r"api\.listen: expected HOST:PORT"):
        check_config({"api": {"listen": listen}}, "site.yaml")


@pytest.mark.parametrize(
    ("host", "local"),
    [
        *((host, True) for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost")),
        *((host, False) for host in ("0.0.0.0", "::", "10.0.0.1", "localhost.evil")),
    ],
)
def test_only_loopback_addresses_are_local(host: str, local: bool) -> None:
    assert is_local(host) == local


def test_an_address_in_use_is_named() -> None:
    with open_listener("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"cannot listen on 127.0.0.1:{port}"):
            open_listener("127.0.0.1", port)


def test_another_method_is_refused(guarded: LiveApi) -> None:
    for method in ("POST", "DELETE", "PUT", "OPTIONS"):
        answer: httpx.Response = guarded.http.request(method, "/cameras", headers=SHOWN)
        assert answer.status_code == 405
