"""Authentication: every request to the live API passes through here first."""

import hmac
import os
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.api.console import PREFIX
from pipeline.config.schema import ApiConfig
from pipeline.errors import UserError

#: Environment variable with the token; it overrides the configuration.
TOKEN_VARIABLE = "FUSETRACK_API_TOKEN"

_SHORTEST = 16
# Health checks by supervisors, and the page with the login; they reveal nothing about the site.
_OPEN = ("/", "/healthz", "/readyz")
# Browsers cannot send headers for a WebSocket or an image source, so the query may hold the token.
_WITHOUT_HEADER = (".jpg", ".mjpeg", "/events", "/wall")


def token_of(config: ApiConfig) -> str | None:
    """The required token, None when there is none. Raises UserError for a weak token."""
    given = os.environ.get(TOKEN_VARIABLE) or (config.token and config.token.get_secret_value())
    if not given:
        return None
    if len(given) < _SHORTEST or not given.isascii() or not given.isprintable() or " " in given:
        raise UserError(
            f"the token of the API is too weak: expected {_SHORTEST} or more ASCII characters "
            "without spaces in api.token or FUSETRACK_API_TOKEN, for example from "
            "`openssl rand -hex 24`"
        )
    return given


class TokenAuth:
    """Requires ``token`` for every request to ``app``; None requires none.

    A token in the query string is removed from it, so that it appears in no log. Without a token,
    WebSockets and searches of other origins are refused, because browsers would allow them.
    """

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app = app
        self._token = None if token is None else token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        given = _extract_token(scope)
        if not self._is_allowed(scope, given):
            await _refuse(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._app(scope, receive, send)
        else:
            await self._app(scope, receive, _uncached(send))

    def _is_allowed(self, scope: Scope, given: str) -> bool:
        if scope["path"] in _OPEN or scope["path"].startswith(PREFIX):
            return True
        if self._token is None:
            reads = scope["type"] == "http" and scope["method"] != "POST"
            return reads or _is_same_origin(Headers(scope=scope))
        return hmac.compare_digest(given.encode(), self._token)


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


def _is_same_origin(headers: Headers) -> bool:
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        # Before the connection is accepted, this becomes status 403.
        await send({"type": "websocket.close", "code": 1008})
        return
    answer = JSONResponse(
        {"detail": "expected the token of this API, as in `Authorization: Bearer TOKEN`"},
        status_code=401,
        headers={"WWW-Authenticate": "Bearer"},
    )
    await answer(scope, receive, send)


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
