"""Remove secrets from an address before it is shown or stored."""

import os
import re

from pipeline.sources.source_kinds import authority_of, ends_a_login, is_url

_SECRET = (
    r"user(?:name)?|usr|login|pass(?:word|wd)?|pwd|(?:access_?|auth_?)?token|auth|"
    r"(?:api_?)?key|secret|sig(?:nature)?"
)
# Some recorders put `user=.._password=.._channel=..` into the path, so a value also ends there.
_PARAMETER = re.compile(
    rf"(?<![a-z])({_SECRET})=.*?(?=&|;|_(?:{_SECRET}|channel|stream|subtype)=|$)",
    re.IGNORECASE | re.DOTALL,
)
# A mistyped address: `rtsp:/bob:secret@host/1`, or no scheme at all.
_BROKEN_ADDRESS = re.compile(r"((?:[A-Za-z][A-Za-z0-9+.-]*:?/{1,2})?)[^/.:@][^/:@]*:.*@")


def redact(source: str) -> str:
    """``source`` without user and password; the values of secret parameters become ``***``.

    So does the login of what looks like a mistyped address. Other paths and webcam indices are
    returned unchanged.
    """
    if not is_url(source):
        found = _BROKEN_ADDRESS.match(source)
        return f"{found[1]}***@{source[found.end() :]}" if found else source
    scheme, rest = source.split("://", 1)
    shown = _without_login(rest, authority_of(source))
    return f"{scheme}://" + _PARAMETER.sub(r"\1=***", shown)


def displayed(source: str) -> str:
    """`redact`, with the bytes of a file name that are not UTF-8 as ``\\xNN``."""
    return os.fsencode(redact(source)).decode("utf-8", "backslashreplace")


def _without_login(rest: str, authority: str) -> str:
    # A password may contain an unquoted @ or /. Losing a part of the path is better than showing
    # a part of the password.
    if "@" in rest and ("@" in authority or ":" in authority or ends_a_login(rest)):
        return rest[rest.rindex("@") + 1 :]
    return rest
