"""What a process shows of itself while it works: metrics, health and its log."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from pipeline.config_section import Section

LogFormat = Literal["text", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]

_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^:/@\s]+):(?P<port>\d{1,5})")
_MOST_PORT = 65_535


def host_and_port(address: str) -> tuple[str, int]:
    """Both parts of ``HOST:PORT``, an IPv6 host without its brackets.

    Raises ValueError when it is none.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None or int(found["port"]) > _MOST_PORT:
        raise ValueError("expected HOST:PORT, such as 127.0.0.1:9100")
    return found["host"].strip("[]"), int(found["port"])


def _check_address(address: str) -> str:
    host_and_port(address)
    return address


class ServiceConfig(Section):
    """How a process is watched from outside.

    ``metrics`` is where /metrics, /healthz and /readyz are served; None serves nothing. A process
    whose main loop makes no step for ``stalled_s`` is no longer healthy.
    """

    metrics: Annotated[str, AfterValidator(_check_address)] | None = None
    stalled_s: Annotated[float, Field(gt=0)] = 60.0
    log_format: LogFormat = "text"
    log_level: LogLevel = "warning"
