"""Load the configuration from YAML; errors name the file, the key and what was expected.

Of renamed and removed keys the old name still works, or the error says what to write instead.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

import yaml
from pydantic import ValidationError

from pipeline.config.faults import first_fault, shown_key
from pipeline.config.schema import SiteConfig
from pipeline.errors import UserError

# The key <<, which merges another mapping.
_MERGE = "tag:yaml.org,2002:merge"
# Far above any site: references to references can multiply a short file to any size.
_MOST_VALUES = 1_000_000
#: Old name to new name, at the top level of a site file.
RENAMED = {"ways": "camera_links"}
# Two lines for single crops, which no value of the calibration of sets of crops corresponds to.
_REMOVED_SIMILARITY = ("same_camera", "other_cameras")

_log = logging.getLogger(__name__)


class _Loader(yaml.SafeLoader):
    """A YAML loader that rejects duplicate keys instead of silently keeping the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        seen: list[object] = []
        for key_node, _ in node.value:
            if key_node.tag == _MERGE:
                continue
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                mark = key_node.start_mark
                raise UserError(
                    f"{mark.name}: line {mark.line + 1}: {shown_key(key)!r} is given twice"
                )
            seen.append(key)
        return dict(super().construct_mapping(node, deep))


def _whole_number(loader: _Loader, node: yaml.ScalarNode) -> int:
    """A number that can be shown: hexadecimal digits may be more than Python prints."""
    found = int(loader.construct_yaml_int(node))
    str(found)
    return found


_Loader.add_constructor("tag:yaml.org,2002:int", _whole_number)


def load_config(path: str | Path) -> SiteConfig:
    """Read and validate a YAML file. Raises UserError that names file, key and fault."""
    path = Path(path)
    values = read_yaml(path)
    if not isinstance(values, dict | None):
        raise UserError(
            f"{path}: expected keys and values at the top, got a {type(values).__name__}"
        )
    return check_config(values or {}, str(path))


def read_yaml(path: Path) -> Any:
    """The values of a YAML file.

    Raises UserError when it cannot be read, is not valid YAML, contains a key twice or grows
    beyond measure by its references.
    """
    try:
        with path.open(encoding="utf-8") as file:
            return parse_yaml(file, str(path))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error


def parse_yaml(text: str | TextIO, name: str) -> Any:
    """The values of ``text``, of which errors say that it is ``name``; raises as `read_yaml`."""
    try:
        return _values(_Loader(text), name)
    except RecursionError:
        raise UserError(f"{name} is not valid YAML: it is nested too deeply") from None
    # Beside its own errors PyYAML lets through what a value of the wrong form causes.
    except (yaml.YAMLError, ValueError, LookupError, AttributeError) as error:
        raise UserError(f"{name} is not valid YAML: {' '.join(str(error).split())}") from error


def _values(loader: _Loader, name: str) -> Any:
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        if _expanded(root, {}) > _MOST_VALUES:
            raise UserError(f"{name}: its references (& and *) grow to over {_MOST_VALUES} values")
        return loader.construct_document(root)
    finally:
        loader.dispose()


def _expanded(node: yaml.Node, counted: dict[int, int]) -> int:
    """The values below ``node`` when every reference is written out; a circle has too many."""
    if id(node) not in counted:
        counted[id(node)] = _MOST_VALUES + 1
        parts = node.value if isinstance(node, yaml.CollectionNode) else []
        flat = (part for one in parts for part in (one if isinstance(one, tuple) else (one,)))
        counted[id(node)] = 1 + sum(_expanded(part, counted) for part in flat)
    return counted[id(node)]


def check_config(values: dict[str, object], origin: str) -> SiteConfig:
    """Validate plain values. Raises UserError that names ``origin`` for an invalid one."""
    try:
        return SiteConfig.model_validate(current_keys(values, origin))
    except ValidationError as error:
        raise UserError(f"{origin}: {first_fault(error, SiteConfig)}") from None


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
