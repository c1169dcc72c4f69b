"""Keys that have another name now: the old one works, with one line that says so."""

import logging
from collections.abc import Mapping

from pipeline.errors import UserError

#: Old name and new name, at the top of a site file.
RENAMED = {"ways": "camera_links"}

_log = logging.getLogger(__name__)


def current_keys(values: Mapping[str, object], origin: str) -> dict[str, object]:
    """``values`` with today's names; ``origin`` is named in the warning.

    Raises UserError when a key stands there under both names.
    """
    found = dict(values)
    for old, new in RENAMED.items():
        if old not in found:
            continue
        if new in found:
            raise UserError(f"{origin}: {old} is the old name of {new}: expected one of the two")
        _log.warning("%s: %s is called %s now; the old name will go", origin, old, new)
        found[new] = found.pop(old)
    return found
