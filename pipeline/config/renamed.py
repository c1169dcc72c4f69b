"""Renamed and removed keys: an old name still works, a removed key says what to write instead."""

import logging
from collections.abc import Mapping

from pipeline.errors import UserError

#: Old name to new name, at the top level of a site file.
RENAMED = {"ways": "camera_links"}
# Two lines for single crops, which no value of the calibration of sets of crops corresponds to.
_REMOVED_SIMILARITY = ("same_camera", "other_cameras")

_log = logging.getLogger(__name__)


def current_keys(values: Mapping[str, object], origin: str) -> dict[str, object]:
    """``values`` with the current names; ``origin`` is named in the warning.

    Raises UserError when a key is given under both names, or was removed.
    """
    found = dict(values)
    for old, new in RENAMED.items():
        if old not in found:
            continue
        if new in found:
            raise UserError(f"{origin}: {old} is the old name of {new}: give only {new}")
        _log.warning("%s: %s is deprecated, use %s instead", origin, old, new)
        found[new] = found.pop(old)
    _check_similarity(found.get("association"), origin)
    return found


def _check_similarity(association: object, origin: str) -> None:
    similarity = association.get("similarity") if isinstance(association, Mapping) else None
    if not isinstance(similarity, Mapping):
        return
    for key in _REMOVED_SIMILARITY:
        if key in similarity:
            raise UserError(
                f"{origin}: association.similarity.{key} is no longer used: give slope, midpoint, "
                "common, spread, visit and crop as printed by ./scripts/bench similarity, or leave "
                "out association.similarity to use the calibration of the ReID network"
            )
