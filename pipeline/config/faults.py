"""Validation errors as one line: the key, what was expected and what was given."""

from collections.abc import Sequence
from dataclasses import is_dataclass
from difflib import get_close_matches
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel, ValidationError

_SHOWN = 120
_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")


def first_fault(error: ValidationError, schema: Any, skip: int = 0) -> str:
    """The most informative fault, as ``key: what was expected, got ...``.

    ``schema`` is the model or dataclass that was validated, used to suggest the nearest key; the
    first ``skip`` parts of a location are not shown.
    """
    # A misspelt key is reported as unknown and the correct one as missing: prefer the former.
    fault: Any = min(error.errors(), key=lambda one: one["type"] not in _UNKNOWN)
    location = [part for part in fault["loc"][skip:] if part != "[key]"]
    key = ".".join(shown_key(part) for part in location)
    if fault["type"] in _UNKNOWN:
        return f"unknown key {key!r}. {_nearest(location, schema)}"
    key = key or "the top"
    if fault["type"] == "missing":
        return f"{key} is missing"
    if fault["type"] in ("model_type", "dict_type"):
        message = "expected keys and values"
    else:
        message = fault["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    # A token is a secret, even an invalid one.
    got = "" if location and location[-1] == "token" else _got(fault["input"])
    return f"{key}: {message}{got}"


def shown_key(key: object) -> str:
    """A key for a message: on one line, and hidden when it may be an address."""
    return "***" if _may_be_address(key) else _short(" ".join(str(key).split()))


def _may_be_address(value: object) -> bool:
    """Whether ``value`` may contain a password, also when it is a mistyped address."""
    return "://" in str(value) or "@" in str(value)


def _got(value: object) -> str:
    if isinstance(value, dict):
        return ""
    # An address may contain a password.
    hidden = isinstance(value, list) or _may_be_address(value)
    return f", got a {type(value).__name__}" if hidden else f", got {_short(repr(value))}"


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _nearest(location: Sequence[int | str], schema: Any) -> str:
    """A suggestion for the unknown key at ``location``."""
    section = schema
    for part in location[:-1]:
        kind = _fields(section).get(str(part))
        # The name of a camera is not a field: its section is already known.
        section = _section_in(kind) or section
    known = list(_fields(section))
    near = get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
    return f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}"


def _fields(section: Any) -> dict[str, Any]:
    """Name and type of each field of a model or a dataclass."""
    if issubclass(section, BaseModel):
        return {name: field.annotation for name, field in section.model_fields.items()}
    return dict(get_type_hints(section))


def _section_in(annotation: Any) -> Any:
    kinds = (annotation, *get_args(annotation))
    return next((k for k in kinds if isinstance(k, type) and _is_section(k)), None)


def _is_section(kind: type) -> bool:
    return issubclass(kind, BaseModel) or is_dataclass(kind)
