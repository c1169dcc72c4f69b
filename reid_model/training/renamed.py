"""Recipe keys that were renamed: recipes and checkpoints of earlier versions hold the old names."""

from collections.abc import Callable, Mapping
from typing import Any

#: Old and current name of a section.
_SECTIONS = {"teaching": "distillation"}
#: By current section: old key, current key, and the current name of each old value.
_KEYS = {"distillation": ("look", "teacher_view", {"once": "plain", "always": "augmented"})}


def current_names(
    recipe: Mapping[str, Any], renamed: Callable[[str, str], None] = lambda old, new: None
) -> dict[str, Any]:
    """``recipe``, as YAML or `dataclasses.asdict` give it, with current names.

    ``renamed`` is called with the old and the current name of each key that has one. Raises
    ValueError when a key is given under both names.
    """
    found = dict(recipe)
    given = {current: old for old, current in _SECTIONS.items() if old in found}
    for section, old in given.items():
        _rename(found, old, section, f"{old} is the old name of {section}")
        renamed(old, section)
    for section, (old, current, values) in _KEYS.items():
        content = found.get(section)
        if not isinstance(content, dict) or old not in content:
            continue
        found[section] = content = dict(content)
        value = content[old]
        name = given.get(section, section)
        _rename(content, old, current, f"{name}.{old} is the old name of {section}.{current}")
        # Lists and sections cannot be looked up; they are refused later.
        content[current] = values.get(value, value) if isinstance(value, str) else value
        renamed(f"{name}.{old}: {value}", f"{section}.{current}: {content[current]}")
    return found


def _rename(values: dict[str, Any], old: str, current: str, fault: str) -> None:
    if current in values:
        raise ValueError(f"{fault}: expected one of the two")
    values[current] = values.pop(old)


def current_losses(losses: Mapping[str, float]) -> dict[str, float]:
    """``losses`` by name, with current names: one that belongs to a section is named after it."""
    return {_SECTIONS.get(name, name): value for name, value in losses.items()}
