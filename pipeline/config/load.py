"""Load the configuration from YAML; errors name the file, the key and what was expected."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from pipeline.config.faults import first_fault, shown_key
from pipeline.config.renamed import current_keys
from pipeline.config.schema import SiteConfig
from pipeline.errors import UserError

# The key <<, which merges another mapping.
_MERGE = "tag:yaml.org,2002:merge"


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


def load_config(path: Path) -> SiteConfig:
    """Read and validate a YAML file. Raises UserError that names file, key and fault."""
    values = read_yaml(path)
    if not isinstance(values, dict | None):
        raise UserError(
            f"{path}: expected keys and values at the top, got a {type(values).__name__}"
        )
    return check_config(values or {}, str(path))


def read_yaml(path: Path) -> Any:
    """The values of a YAML file.

    Raises UserError when it cannot be read, is not valid YAML or contains a key twice.
    """
    try:
        with path.open(encoding="utf-8") as file:
            # _Loader is a SafeLoader with one more check.
            return yaml.load(file, Loader=_Loader)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error


def check_config(values: dict[str, object], origin: str) -> SiteConfig:
    """Validate plain values. Raises UserError that names ``origin`` for an invalid one."""
    try:
        return SiteConfig.model_validate(current_keys(values, origin))
    except ValidationError as error:
        raise UserError(f"{origin}: {first_fault(error, SiteConfig)}") from None
