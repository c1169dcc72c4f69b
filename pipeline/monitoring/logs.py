"""The log of a process: where it is set up, and how a line of it looks, as text or as JSON.

No line holds the login of an address, whoever wrote it: other libraries are not as careful as we.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.config.schema import LogFormat, LogLevel


_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>|]+")
# What a message may be about: `extra={"camera": ...}` says so.
_ABOUT = ("camera",)


class Lines(logging.Formatter):
    """The lines of a log: what a person reads, or one JSON object each.

    A JSON line has ``time`` (UTC), ``level``, what `about` was told, ``camera`` where the line is
    about one, ``message``, and ``traceback`` after a fault of ours.
    """

    def __init__(self) -> None:
        super().__init__("fusetrack: %(message)s")
        self.as_json = False
        self.about: dict[str, str] = {}

    def format(self, record: logging.LogRecord) -> str:
        """One line; a traceback has more of them in a text."""
        return self._json(record) if self.as_json else without_logins(super().format(record))

    def _json(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            **self.about,
            **{name: str(getattr(record, name)) for name in _ABOUT if hasattr(record, name)},
            "message": without_logins(record.getMessage()),
        }
        if record.exc_info:
            lines = traceback.format_exception(*record.exc_info)
            line["traceback"] = without_logins("".join(lines))
        return json.dumps(line, ensure_ascii=False)


_LINES = Lines()


def begin() -> None:
    """Show warnings on stderr, as text, until `follow_settings` says otherwise."""
    handler = logging.StreamHandler()
    handler.setFormatter(_LINES)
    _LINES.as_json, _LINES.about = False, {}
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


def follow_settings(style: LogFormat, level: LogLevel, **about: str) -> None:
    """From now on lines look like ``style`` and begin at ``level``; each is ``about`` this."""
    _LINES.as_json = style == "json"
    _LINES.about = about
    logging.getLogger().setLevel(level.upper())
    logging.captureWarnings(_LINES.as_json)


def add_about(**about: str) -> None:
    """More of what every further line is about."""
    _LINES.about = {**_LINES.about, **about}


def are_json() -> bool:
    """Whether each line is a JSON object."""
    return _LINES.as_json


def line(level: int, message: str) -> str:
    """``message`` as a line of the log; whether its level is shown plays no part."""
    return _LINES.format(logging.LogRecord("fusetrack", level, "", 0, message, None, None))


def write_fault(error: BaseException) -> None:
    """Say on stderr where an error of ours comes from."""
    shown = without_logins("".join(traceback.format_exception(error)))
    if _LINES.as_json:
        kind = (type(error), error, error.__traceback__)
        record = logging.LogRecord("fusetrack", logging.CRITICAL, "", 0, str(error), None, kind)
        shown = _LINES.format(record) + "\n"
    sys.stderr.write(shown)


def without_logins(text: str) -> str:
    """``text`` with every address in it redacted."""
    from pipeline.sources.redact import redact

    return _ADDRESS.sub(lambda found: redact(found[0]), text)
