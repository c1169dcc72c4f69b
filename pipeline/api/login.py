"""The login of the page: a token becomes a cookie, and wrong ones are counted."""

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response

from pipeline.api.auth import COOKIE, session_of
from pipeline.api.schemas import MeAnswer, Problem
from pipeline.api.shown import ShownSite
from pipeline.api.users import SESSION_S, User, Users

# The number of wrong tokens that an address may try, within this many seconds,
_MOST_WRONG, _WITHIN_S = 10, 300.0
# and the number of addresses that are remembered.
_MOST_ADDRESSES = 10_000

_WRONG: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "The token is wrong."},
    403: {"model": Problem, "description": "A page of another origin asks."},
    429: {"model": Problem, "description": "Too many wrong tokens from this address."},
}


@dataclass(frozen=True, slots=True)
class Login:
    """A token of the API."""

    token: str


class WrongLogins:
    """Counts the wrong tokens of each address. ``clock`` returns seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """Seconds until an address may try again, 0 when it may."""
        times = self._wrong.get(address, deque())
        while times and times[0] <= self._clock() - _WITHIN_S:
            times.popleft()
        return times[0] + _WITHIN_S - self._clock() if len(times) >= _MOST_WRONG else 0.0

    def add(self, address: str) -> None:
        """Count a wrong token."""
        self._wrong.setdefault(address, deque()).append(self._clock())
        self._wrong.move_to_end(address)
        if len(self._wrong) > _MOST_ADDRESSES:
            self._wrong.popitem(last=False)


def add_login(
    open_to_all: APIRouter,
    data: APIRouter,
    users: Users,
    site: ShownSite,
    clock: Callable[[], float],
) -> None:
    """Add the endpoints; ``data`` requires a user. ``clock`` returns seconds."""
    wrong = WrongLogins(clock)

    @data.get("/me")
    def me(request: Request) -> MeAnswer:
        """Who asks, and whether they may correct something."""
        user: User = request.state.user
        return MeAnswer(user.name, user.role, site.name, site.is_live, not users.is_open)

    @open_to_all.post("/login", status_code=204, responses=_WRONG)
    def login(request: Request, response: Response, body: Login) -> None:
        """Exchange a token for a cookie, which a browser then sends along; needs no token.

        The cookie holds a signed session of 12 hours, no token. An address that has tried ten wrong
        tokens within five minutes must wait.
        """
        address = request.client.host if request.client else ""
        if (wait_s := wrong.wait_s(address)) > 0:
            raise HTTPException(
                429,
                f"too many wrong tokens: try again in {wait_s:.0f} s",
                {"Retry-After": f"{wait_s + 1:.0f}"},
            )
        user = request.state.user if users.is_open else users.with_token(body.token)
        if user is None:
            wrong.add(address)
            raise HTTPException(401, "this is not a token of this API")
        request.state.user = user
        if not users.is_open:
            _set_cookie(request, response, users.open_session(user), SESSION_S)

    @data.post("/logout", status_code=204, responses={403: _WRONG[403]})
    def logout(request: Request, response: Response) -> None:
        """End the session of the cookie."""
        users.close_session(session_of(request.headers))
        _set_cookie(request, response, "", 0)


def _set_cookie(request: Request, response: Response, session: str, age_s: float) -> None:
    response.set_cookie(
        COOKIE,
        session,
        max_age=int(age_s),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
