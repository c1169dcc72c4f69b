"""The login of the page: cookies, roles, other origins, wrong tokens, and the audit log."""

import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from builders import make_run
from live_api import TOKEN, VIEWER_TOKEN, Clock, LiveApi, RecordedApi
from pipeline.api.login import WrongLogins
from pipeline.api.users import SESSION_S, User, Users, users_of
from pipeline.config.schema import ApiConfig
from pipeline.errors import UserError

BOX = (0.0, 0.0, 9.0, 9.0)
EDITOR, VIEWER = User("anna", "editor"), User("wall", "viewer")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of one person."""
    return make_run(tmp_path / "run", [("gate", i, 1, BOX) for i in range(9)], {("gate", 1): 1})


@pytest.fixture
def guarded(run: Path) -> Iterator[RecordedApi]:
    """The API of the run, with a token."""
    api = RecordedApi(run, token=TOKEN)
    yield api
    api.close()


def login(api: RecordedApi, token: str, **headers: str) -> httpx.Response:
    """A browser that logs in; it keeps the cookie."""
    origin = {"Origin": f"http://{api.place}", **headers}
    return api.http.post("/login", json={"token": token}, headers=origin)


def correct(api: RecordedApi, **headers: str) -> httpx.Response:
    """A request that changes something."""
    body = {"kind": "name", "global_id": 1, "name": "Anna"}
    return api.http.post("/corrections", json=body, headers=headers)


def test_a_login_gives_a_cookie_that_pages_cannot_read(guarded: RecordedApi) -> None:
    assert guarded.http.get("/me").status_code == 401
    answer = login(guarded, TOKEN)
    assert answer.status_code == 204
    cookie = answer.headers["Set-Cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "secure" not in cookie
    assert TOKEN not in cookie
    assert guarded.http.get("/me").json() == {
        "name": "api",
        "role": "editor",
        "site": "shop",
        "live": False,
        "login": True,
    }
    assert guarded.http.get("/cameras").status_code == 200


def test_the_cookie_is_for_https_alone_behind_a_proxy_with_tls(guarded: RecordedApi) -> None:
    answer = login(guarded, TOKEN, **{"X-Forwarded-Proto": "https"})
    assert "secure" in answer.headers["Set-Cookie"].lower()


def test_a_logout_ends_the_session_also_for_who_copied_the_cookie(guarded: RecordedApi) -> None:
    login(guarded, TOKEN)
    copied = guarded.http.cookies["fusetrack"]
    origin = {"Origin": f"http://{guarded.place}"}
    assert guarded.http.post("/logout", headers=origin).status_code == 204
    assert "fusetrack" not in guarded.http.cookies
    assert guarded.http.get("/me", headers={"Cookie": f"fusetrack={copied}"}).status_code == 401


def test_without_a_token_everybody_here_is_an_editor(run: Path) -> None:
    api = RecordedApi(run)
    try:
        assert api.http.get("/me").json()["role"] == "editor"
        assert api.http.get("/me").json()["login"] is False
        assert correct(api).status_code == 201
    finally:
        api.close()


def test_a_viewer_can_read_and_change_nothing(guarded: RecordedApi) -> None:
    login(guarded, VIEWER_TOKEN)
    assert guarded.http.get("/me").json()["role"] == "viewer"
    assert guarded.http.get("/identities/1").status_code == 200
    answer = correct(guarded, Origin=f"http://{guarded.place}")
    assert answer.status_code == 403
    assert "guest is a viewer" in answer.json()["detail"]
    bearer = {"Authorization": f"Bearer {VIEWER_TOKEN}"}
    assert correct(guarded, **bearer).status_code == 403
    assert guarded.http.delete("/cameras", headers=bearer).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://attacker.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {},
    ],
    ids=["other", "null", "other site", "none"],
)
def test_with_a_cookie_only_pages_of_this_server_change_something(
    guarded: RecordedApi, headers: dict[str, str]
) -> None:
    login(guarded, TOKEN)
    assert correct(guarded, **headers).status_code == 403
    assert correct(guarded, Origin=f"http://{guarded.place}").status_code == 201


def test_a_program_with_a_token_needs_no_origin(guarded: RecordedApi) -> None:
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert correct(guarded, **bearer).status_code == 201
    assert correct(guarded, **bearer, Origin="http://attacker.example").status_code == 403


def test_a_page_of_another_origin_cannot_log_in(guarded: RecordedApi) -> None:
    assert login(guarded, TOKEN, Origin="http://attacker.example").status_code == 403


def test_a_socket_with_the_cookie_is_for_pages_of_this_server(
    open_api: Callable[..., LiveApi],
) -> None:
    api = open_api(token=TOKEN)
    api.http.post("/login", json={"token": TOKEN})
    cookie = f"fusetrack={api.http.cookies['fusetrack']}"
    for headers in ({}, {"Origin": "http://attacker.example"}):
        with pytest.raises(InvalidStatus, match="403"):
            api.events(Cookie=cookie, **headers)
    with api.events(Cookie=cookie, Origin=f"http://{api.place}") as listener:
        assert listener.ping().wait(20)


def test_wrong_tokens_are_limited_and_then_the_right_one_too(guarded: RecordedApi) -> None:
    for _ in range(10):
        assert login(guarded, "wrong").status_code == 401
    answer = login(guarded, TOKEN)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 301
    # Who has a token in a program is not held up.
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert guarded.http.get("/me", headers=bearer).status_code == 200


def test_an_address_may_try_again_after_five_minutes() -> None:
    clock = Clock()
    wrong = WrongLogins(clock)
    for _ in range(10):
        assert wrong.wait_s("10.0.0.1") == 0
        wrong.add("10.0.0.1")
    clock.now += 299
    assert wrong.wait_s("10.0.0.1") == 1
    assert wrong.wait_s("10.0.0.2") == 0
    clock.now += 1
    assert wrong.wait_s("10.0.0.1") == 0


def test_what_changes_something_is_in_the_audit_log_without_its_content(
    guarded: RecordedApi, run: Path
) -> None:
    login(guarded, "wrong")
    login(guarded, TOKEN)
    guarded.http.get("/cameras")
    correct(guarded, Origin=f"http://{guarded.place}")
    correct(guarded)
    path = run / "audit.jsonl"
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(e["who"], e["method"], e["path"], e["status"]) for e in entries] == [
        (None, "POST", "/login", 401),
        ("api", "POST", "/login", 204),
        ("api", "POST", "/corrections", 201),
        ("api", "POST", "/corrections", 403),
    ]
    assert entries[0]["address"] == "127.0.0.1"
    assert not {TOKEN, "wrong", "Anna"} & set(path.read_text().split('"'))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_session_is_of_one_user_and_ends() -> None:
    clock = Clock()
    users = Users({"token-of-anna-1234": EDITOR, "token-of-wall-1234": VIEWER}, clock)
    session = users.open_session(EDITOR)
    assert users.of_session(session) == EDITOR
    # Another process with the same token knows it, one with another token does not.
    assert Users({"token-of-anna-1234": EDITOR}, clock).of_session(session) == EDITOR
    assert Users({"another-token-1234": EDITOR}, clock).of_session(session) is None
    for changed in (session.replace("anna", "wall"), session[:-1], f"{session}é", "", "a.b.c"):
        assert users.of_session(changed) is None
    clock.now += SESSION_S - 1
    assert users.of_session(session) == EDITOR
    clock.now += 1
    assert users.of_session(session) is None


def test_users_have_tokens_and_roles_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FUSETRACK_API_TOKEN", raising=False)
    two = {
        "anna": {"token": "token-of-anna-1234", "role": "editor"},
        "wall": {"token": "token-of-wall-1234"},
    }
    users = users_of(ApiConfig.model_validate({"users": two}), Clock())
    assert users.with_token("token-of-anna-1234") == EDITOR
    assert users.with_token("token-of-wall-1234") == VIEWER
    assert users.with_token("token-of-wall-123é") is None
    same = {"token": "token-of-wall-1234", "users": two}
    with pytest.raises(UserError, match=r"api\.users\.wall has the token or the name of api"):
        users_of(ApiConfig.model_validate(same), Clock())
    with pytest.raises(UserError, match=r"api\.users\.anna\.token"):
        users_of(ApiConfig.model_validate({"users": {"anna": {"token": "short"}}}), Clock())
