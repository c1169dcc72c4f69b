"""Who may use the API: the tokens of the configuration, and sessions of the login page."""

import hashlib
import hmac
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from pipeline.config.schema import ApiConfig
from pipeline.errors import UserError

#: Environment variable with the token of the user `API`; it overrides the configuration.
TOKEN_VARIABLE = "FUSETRACK_API_TOKEN"

_SHORTEST = 16
#: The session of the login page ends after this many seconds.
SESSION_S = 12 * 3600.0

Role = Literal["viewer", "editor"]


@dataclass(frozen=True, slots=True)
class User:
    """A user by name. A viewer can change nothing."""

    name: str
    role: Role


#: Who has ``api.token``, and who asks where there is no token at all.
API, LOCAL = User("api", "editor"), User("local", "editor")


class Users:
    """The users of the API by their tokens; without any, everybody is `LOCAL`.

    ``clock`` returns seconds UTC. A session is a signed text that any process with the same token
    accepts, so it survives a restart; one that was closed is refused by this process.
    """

    def __init__(self, tokens: Mapping[str, User], clock: Callable[[], float]) -> None:
        self._tokens = dict(tokens)
        self._clock = clock
        self._closed: dict[str, float] = {}

    @property
    def is_open(self) -> bool:
        """Whether no token is needed."""
        return not self._tokens

    def with_token(self, token: str) -> User | None:
        """The user of a token; None for a wrong one."""
        # All are compared, so that the time tells nothing.
        right = [u for t, u in self._tokens.items() if hmac.compare_digest(t.encode(), _utf(token))]
        return right[0] if right else None

    def open_session(self, user: User) -> str:
        """The text of a new session, for a cookie."""
        until = f"{self._clock() + SESSION_S:.0f}"
        return f"{user.name}.{until}.{self._signature(user, until)}"

    def of_session(self, session: str) -> User | None:
        """The user of a session; None when it has ended or is not one of ours."""
        name, until, signature = (*session.rsplit(".", 2), "", "")[:3]
        for user in self._tokens.values():
            if user.name == name and hmac.compare_digest(
                self._signature(user, until).encode(), _utf(signature)
            ):
                ended = float(until) <= self._clock() or session in self._closed
                return None if ended else user
        return None

    def close_session(self, session: str) -> None:
        """Refuse a session from now on."""
        now = self._clock()
        self._closed = {text: until for text, until in self._closed.items() if until > now}
        if self.of_session(session) is not None:
            self._closed[session] = now + SESSION_S

    def _signature(self, user: User, until: str) -> str:
        token = next(token for token, one in self._tokens.items() if one == user)
        key = hashlib.sha256(b"session of fusetrack\0" + token.encode()).digest()
        return hmac.new(key, f"{user.name}.{until}".encode(), hashlib.sha256).hexdigest()


def _utf(text: str) -> bytes:
    # A header may hold any bytes.
    return text.encode("utf-8", "surrogatepass")


def users_of(config: ApiConfig, clock: Callable[[], float]) -> Users:
    """The users of a configuration. Raises UserError for a weak token, or one that two have."""
    tokens: dict[str, User] = {}
    given = os.environ.get(TOKEN_VARIABLE) or (config.token and config.token.get_secret_value())
    if given:
        tokens[_strong(given, "api.token or FUSETRACK_API_TOKEN")] = API
    for name, user in config.users.items():
        token = _strong(user.token.get_secret_value(), f"api.users.{name}.token")
        if token in tokens or (given and name == API.name):
            raise UserError(
                f"api.users.{name} has the token or the name of {tokens.get(token, API).name}: "
                "expected another one for each user"
            )
        tokens[token] = User(name, user.role)
    return Users(tokens, clock)


def _strong(token: str, key: str) -> str:
    if len(token) < _SHORTEST or not token.isascii() or not token.isprintable() or " " in token:
        raise UserError(
            f"the token of the API is too weak: expected {_SHORTEST} or more ASCII characters "
            f"without spaces in {key}, for example from `openssl rand -hex 24`"
        )
    return token
