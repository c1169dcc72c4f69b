"""Who may ask: everything the live API is sent passes here first."""

import hmac
import os
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.config.schema import ApiConfig
from pipeline.errors import UserError

#: Where the token may come from instead of the configuration.
VARIABLE = "FUSETRACK_API_TOKEN"

_SHORTEST = 16
# Supervisors ask for it, and it says nothing of the site.
_OPEN = ("/healthz", "/readyz")
# Asked for by browsers, which can give no header there: a WebSocket and the src of a picture.
_WITHOUT_HEADER = (".jpg", ".mjpeg", "/events")


def token_of(config: ApiConfig) -> str | None:
    """The token to ask for, None when there is none. Raises UserError for one that is too weak."""
    given = os.environ.get(VARIABLE) or (config.token and config.token.get_secret_value())
    if not given:
        return None
    if len(given) < _SHORTEST or not given.isascii() or not given.isprintable() or " " in given:
        raise UserError(
            f"the token of the API is too weak: expected {_SHORTEST} or more ASCII characters "
            "without a space in api.token or FUSETRACK_API_TOKEN, such as from "
            "`openssl rand -hex 24`"
        )
    return given


class Access:
    """Asks for ``token`` before ``app`` is asked anything; None asks for none.

    A token in the query is taken out of it, so that it comes into no log. Without a token a page of
    another origin may not open a WebSocket, which browsers would let it.
    """

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app = app
        self._token = None if token is None else token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        given = _take_token(scope)
        if not self._may(scope, given):
            await _refuse(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._app(scope, receive, send)
        else:
            await self._app(scope, receive, _private(send))

    def _may(self, scope: Scope, given: str) -> bool:
        if scope["path"] in _OPEN:
            return True
        if self._token is None:
            return scope["type"] == "http" or _is_same_origin(Headers(scope=scope))
        return hmac.compare_digest(given.encode(), self._token)


def _take_token(scope: Scope) -> str:
    """The token that was shown, empty when none was; the query is left without it."""
    pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    if any(name == "token" for name, _ in pairs):
        kept = [(name, value) for name, value in pairs if name != "token"]
        # In place: the server writes of the same scope into its log.
        scope["query_string"] = urlencode(kept).encode("latin-1")
    scheme, _, shown = Headers(scope=scope).get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return shown.strip()
    if not scope["path"].endswith(_WITHOUT_HEADER):
        return ""
    return next((value for name, value in pairs if name == "token"), "")


def _is_same_origin(headers: Headers) -> bool:
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        # Before it is accepted this is a 403.
        await send({"type": "websocket.close", "code": 1008})
        return
    answer = JSONResponse(
        {"detail": "expected the token of this API, as in `Authorization: Bearer TOKEN`"},
        status_code=401,
        headers={"WWW-Authenticate": "Bearer"},
    )
    await answer(scope, receive, send)


def _private(send: Send) -> Send:
    """What is answered stays with who asked."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Cache-Control"] = "no-store"
            headers["Referrer-Policy"] = "no-referrer"
            headers["X-Content-Type-Options"] = "nosniff"
        await send(message)

    return sending
