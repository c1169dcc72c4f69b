"""Configuration from YAML; a fault is named by file, key and what was expected."""

from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

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
                    f"{mark.name}: line {mark.line + 1}: {_shown_key(key)!r} is given twice"
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
        return SiteConfig.model_validate(values)
    except ValidationError as error:
        raise UserError(_first_fault(error, origin)) from None


def _first_fault(error: ValidationError, origin: str) -> str:
    # A key with a slip is unknown, and the right one missing: the first says more.
    faults = sorted(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
    fault = faults[0]
    key = ".".join(_shown_key(part) for part in fault["loc"] if part != "[key]")
    if fault["type"] == "extra_forbidden":
        return f"{origin}: unknown key {key!r}. {_nearest(fault['loc'])}"
    if fault["type"] == "missing":
        return f"{origin}: {key} is missing"
    if fault["type"] in ("model_type", "dict_type"):
        message = "expected keys and values"
    else:
        message = fault["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    # What was given as a token is a secret, however wrong.
    got = "" if fault["loc"][-1] == "token" else _got(fault["input"])
    return f"{origin}: {key}: {message}{got}"


def _shown_key(key: object) -> str:
    """A key for a message: on one line, and not when it is an address."""
    return "***" if _may_be_address(key) else " ".join(str(key).split())


def _may_be_address(value: object) -> bool:
    """Whether there may be a password in ``value``, also where an address has a slip in it."""
    return "://" in str(value) or "@" in str(value)


def _got(value: object) -> str:
    if isinstance(value, dict):
        return ""
    # An address may hold a password.
    hidden = isinstance(value, list) or _may_be_address(value)
    return f", got a {type(value).__name__}" if hidden else f", got {value!r}"


def _nearest(location: tuple[int | str, ...]) -> str:
    """What the unknown key at ``location`` may have meant."""
    section: type[BaseModel] = SiteConfig
    for part in location[:-1]:
        field = section.model_fields.get(str(part))
        # The name of a camera is no field: its section is known already.
        section = _section_in(field.annotation) or section if field else section
    known = list(section.model_fields)
    near = get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
    return f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}"


def _section_in(annotation: Any) -> type[BaseModel] | None:
    kinds = (annotation, *get_args(annotation))
    return next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), None)
