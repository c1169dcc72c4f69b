"""Configuration from YAML; a fault is named by file, key and what was expected."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from pipeline.config.faults import first_fault, shown_key
from pipeline.config.renamed import current_keys
from pipeline.config.schema import SiteConfig
from pipeline.errors import UserError

# The key <<, which takes over another mapping.
_MERGE = "tag:yaml.org,2002:merge"


class _Loader(yaml.SafeLoader):
    """YAML in which a key written twice is an error, not a silent last one."""

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


def load_config(path: Path) -> SiteConfig:
    """Read and check a YAML file. Raises UserError that names the file, the key and the fault."""
    values = read_yaml(path)
    if not isinstance(values, dict | None):
        raise UserError(
            f"{path}: expected keys and values at the top, got a {type(values).__name__}"
        )
    return check_config(values or {}, str(path))


def read_yaml(path: Path) -> Any:
    """The values of a YAML file, in which no key stands twice.

    Raises UserError when it cannot be read or is no YAML.
    """
    try:
        with path.open(encoding="utf-8") as file:
            # A SafeLoader with one more check.
            return yaml.load(file, Loader=_Loader)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error


def check_config(values: dict[str, object], origin: str) -> SiteConfig:
    """Check plain values. ``origin`` is named in the UserError that a wrong one raises."""
    try:
        return SiteConfig.model_validate(current_keys(values, origin))
    except ValidationError as error:
        raise UserError(f"{origin}: {first_fault(error, SiteConfig)}") from None
