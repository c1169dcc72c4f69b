"""Access: every request to the API passes through here first."""

from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.api.audit import AuditLog
from pipeline.api.console import PREFIX
from pipeline.api.users import LOCAL, User, Users

#: The cookie with the session of the login page.
COOKIE = "fusetrack"

# Health checks by supervisors, and the page with the login; they reveal nothing about the site.
_OPEN = ("/", "/healthz", "/readyz", "/login")
# Browsers cannot send headers for a WebSocket or an image source, so the query may hold the token.
_WITHOUT_HEADER = (".jpg", ".mjpeg", "/events", "/wall")
_READING = ("GET", "HEAD", "OPTIONS")
# They change nothing of the run.
_OF_VIEWERS = ("/search", "/login", "/logout")


@dataclass(frozen=True, slots=True)
class _Asker:
    """Who asks; ``by_cookie`` is what a browser sends along with any request, wanted or not."""

    user: User | None
    by_cookie: bool = False


class Access:
    """Requires a token of ``users``, or a session of one, for every request to ``app``.

    A token in the query string is removed from it, so that it appears in no log. What changes
    something must come from a page of this server, or from a program with a token, and from an
    editor; it is entered in ``audit``. The user is ``request.state.user``.
    """

    def __init__(self, app: ASGIApp, users: Users, audit: AuditLog) -> None:
        self._app = app
        self._users = users
        self._audit = audit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        asker = self._asker(scope)
        if scope["type"] == "http":
            send = _uncached(send)
            if _changes(scope) and scope["path"] != "/search":
                send = self._audit.sending(send, scope, asker.user)
        fault = self._fault(scope, asker)
        if fault is not None:
            await _refuse(scope, receive, send, *fault)
            return
        scope.setdefault("state", {})["user"] = asker.user
        await self._app(scope, receive, send)

    def _asker(self, scope: Scope) -> _Asker:
        token = _extract_token(scope)
        if self._users.is_open:
            return _Asker(LOCAL)
        if token:
            return _Asker(self._users.with_token(token))
        session = session_of(Headers(scope=scope))
        return _Asker(self._users.of_session(session) if session else None, by_cookie=True)

    def _fault(self, scope: Scope, asker: _Asker) -> tuple[int, str] | None:
        """Status and reason why a request is refused; None when it is not."""
        if (_changes(scope) or scope["type"] == "websocket") and not self._is_ours(scope, asker):
            return 403, "this comes from a page of another origin: open the page of this server"
        if scope["path"] in _OPEN or scope["path"].startswith(PREFIX):
            return None
        if asker.user is None:
            return 401, "expected the token of this API, as in `Authorization: Bearer TOKEN`"
        if asker.user.role != "editor" and _changes(scope) and scope["path"] not in _OF_VIEWERS:
            return 403, f"{asker.user.name} is a viewer: only an editor may change something"
        return None

    def _is_ours(self, scope: Scope, asker: _Asker) -> bool:
        """Whether a page of this server asks, or a program, which names no origin."""
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if origin is not None:
            by_token = scope["type"] == "websocket" and asker.user is not None
            allowed = by_token and not asker.by_cookie and not self._users.is_open
            return allowed or urlsplit(origin).netloc == headers.get("host")
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return False
        return not (asker.by_cookie and asker.user)


def _changes(scope: Scope) -> bool:
    return scope["type"] == "http" and scope["method"] not in _READING


def session_of(headers: Headers) -> str:
    """The session in the cookie of a request, empty if there is none."""
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return ""
    return cookies[COOKIE].value if COOKIE in cookies else ""


def _extract_token(scope: Scope) -> str:
    """Extract the token of a request, empty if there is none, and remove it from the query."""
    pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    if any(name == "token" for name, _ in pairs):
        kept = [(name, value) for name, value in pairs if name != "token"]
        # In place, because the server logs the same scope.
        scope["query_string"] = urlencode(kept).encode("latin-1")
    scheme, _, value = Headers(scope=scope).get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if not scope["path"].endswith(_WITHOUT_HEADER):
        return ""
    return next((value for name, value in pairs if name == "token"), "")


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, reason: str) -> None:
    if scope["type"] == "websocket":
        # Before the connection is accepted, this becomes status 403.
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    await JSONResponse({"detail": reason}, status, headers)(scope, receive, send)


def _uncached(send: Send) -> Send:
    """Add headers that prevent caching and leaking of the response."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.setdefault("Cache-Control", "no-store")
            headers["Referrer-Policy"] = "no-referrer"
            headers["X-Content-Type-Options"] = "nosniff"
        await send(message)

    return sending
