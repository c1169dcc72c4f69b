"""The log of a process: set-up and format of its lines, as text or as JSON.

Logins are removed from all addresses in every line, including lines of other libraries.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.config.schema import LogFormat, LogLevel


_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>|]+")
# Optional fields of a record, passed as `extra={"camera": ...}`.
_RECORD_FIELDS = ("camera",)


class LogFormatter(logging.Formatter):
    """Formats log lines as plain text or as one JSON object each.

    A JSON line has ``time`` (UTC), ``level``, the fields of ``context``, ``camera`` where it
    concerns one, ``message``, and ``traceback`` after an internal error.
    """

    def __init__(self) -> None:
        super().__init__("fusetrack: %(message)s")
        self.as_json = False
        self.context: dict[str, str] = {}

    def format(self, record: logging.LogRecord) -> str:
        """The formatted record: one line, except that a traceback in text has several."""
        return self._json(record) if self.as_json else redact_addresses(super().format(record))

    def _json(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            **self.context,
            **{
                name: str(getattr(record, name)) for name in _RECORD_FIELDS if hasattr(record, name)
            },
            "message": redact_addresses(record.getMessage()),
        }
        if record.exc_info:
            lines = traceback.format_exception(*record.exc_info)
            line["traceback"] = redact_addresses("".join(lines))
        return json.dumps(line, ensure_ascii=False)


_FORMATTER = LogFormatter()


def set_up() -> None:
    """Log warnings to stderr as text until `configure` is called."""
    handler = logging.StreamHandler()
    handler.setFormatter(_FORMATTER)
    _FORMATTER.as_json, _FORMATTER.context = False, {}
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


def configure(style: LogFormat, level: LogLevel, **context: str) -> None:
    """Set the format and lowest level of the log; ``context`` is added to each JSON line."""
    _FORMATTER.as_json = style == "json"
    _FORMATTER.context = context
    logging.getLogger().setLevel(level.upper())
    logging.captureWarnings(_FORMATTER.as_json)
    if _FORMATTER.as_json:
        threading.excepthook = _log_failed_thread
        sys.unraisablehook = _log_ignored


def _log_failed_thread(failed: threading.ExceptHookArgs) -> None:
    """Log what ended a thread; Python would write a traceback between the lines of JSON."""
    if failed.exc_value is not None:
        name = "unknown" if failed.thread is None else failed.thread.name
        _log_error(f"the thread {name} ended", failed.exc_value)


def _log_ignored(ignored: sys.UnraisableHookArgs) -> None:
    """Log an error of a finalizer, which nothing can catch."""
    if ignored.exc_value is not None:
        _log_error(ignored.err_msg or "an error was ignored", ignored.exc_value)


def _log_error(message: str, error: BaseException) -> None:
    kind = type(error), error, error.__traceback__
    logging.getLogger("fusetrack").error("%s: %s", message, error, exc_info=kind)


def add_context(**context: str) -> None:
    """Add fields to every further JSON line."""
    _FORMATTER.context = {**_FORMATTER.context, **context}


def is_json() -> bool:
    """Whether log lines are JSON objects."""
    return _FORMATTER.as_json


def format_line(level: int, message: str) -> str:
    """``message`` formatted as a log line, whatever the current level of the log."""
    return _FORMATTER.format(logging.LogRecord("fusetrack", level, "", 0, message, None, None))


def write_traceback(error: BaseException) -> None:
    """Write the traceback of an internal error to stderr."""
    text = redact_addresses("".join(traceback.format_exception(error)))
    if _FORMATTER.as_json:
        kind = (type(error), error, error.__traceback__)
        record = logging.LogRecord("fusetrack", logging.CRITICAL, "", 0, str(error), None, kind)
        text = _FORMATTER.format(record) + "\n"
    sys.stderr.write(text)


def redact_addresses(text: str) -> str:
    """``text`` with every address in it redacted."""
    from pipeline.sources.redact import redact

    return _ADDRESS.sub(lambda found: redact(found[0]), text)
