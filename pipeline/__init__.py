"""The running system: sources, detector, node, bus, associator, recorder, exports, command line."""

from typing import Any

__all__ = ["RunDirectory", "UserError", "follow"]

_HOMES = {
    "RunDirectory": "pipeline.run_directory.reader",
    "UserError": "pipeline.errors",
    "follow": "pipeline.runtime.run",
}


def __getattr__(name: str) -> Any:
    """The public names, imported when they are first asked for: `--help` needs none of them."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
