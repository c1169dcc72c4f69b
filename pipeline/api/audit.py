"""The audit log: who asked to change what, when, and what was answered.

RUN/audit.jsonl has one JSON object a line, readable for the owner of the run alone. Without a run
directory the entries are lines of the log. What a request says is not in it: corrections have their
own record, and searches their own log.
"""

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from starlette.types import Message, Scope, Send

from pipeline.api.users import User
from pipeline.run_directory.durable import append_line

NAME = "audit.jsonl"

_log = logging.getLogger(__name__)


class AuditLog:
    """Writes into the folder that ``folder`` returns; ``clock`` returns seconds UTC."""

    def __init__(self, folder: Callable[[], Path | None], clock: Callable[[], float]) -> None:
        self._folder = folder
        self._clock = clock

    def sending(self, send: Send, scope: Scope, user: User | None) -> Send:
        """``send`` that enters the request of ``scope`` once its status is known."""

        async def logged(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._write(self._entry(scope, user, message["status"]))
            await send(message)

        return logged

    def _entry(self, scope: Scope, user: User | None, status: int) -> dict[str, object]:
        # A login has no user before it.
        user = scope.get("state", {}).get("user") or user
        time = datetime.fromtimestamp(self._clock(), UTC)
        return {
            "time": time.isoformat(timespec="milliseconds"),
            "who": user.name if user else None,
            "role": user.role if user else None,
            "address": scope["client"][0] if scope.get("client") else None,
            "method": scope["method"],
            "path": scope["path"],
            "status": status,
        }

    def _write(self, entry: dict[str, object]) -> None:
        line, folder = json.dumps(entry, ensure_ascii=False), self._folder()
        if folder is None:
            _log.info("%s", line)
            return
        try:
            append_line(folder / NAME, line)
        except OSError as error:
            _log.error("cannot write %s: %s. The entry is %s", folder / NAME, error.strerror, line)
