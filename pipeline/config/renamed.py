"""Renamed keys: the old name still works, with a deprecation warning."""

import logging
from collections.abc import Mapping

from pipeline.errors import UserError

#: Old name to new name, at the top level of a site file.
RENAMED = {"ways": "camera_links"}

_log = logging.getLogger(__name__)


def current_keys(values: Mapping[str, object], origin: str) -> dict[str, object]:
    """``values`` with the current names; ``origin`` is named in the warning.

    Raises UserError when a key is given under both names.
    """
    found = dict(values)
    for old, new in RENAMED.items():
        if old not in found:
            continue
        if new in found:
            raise UserError(f"{origin}: {old} is the old name of {new}: give only {new}")
        _log.warning("%s: %s is deprecated, use %s instead", origin, old, new)
        found[new] = found.pop(old)
    return found
