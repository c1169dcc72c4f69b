"""A ReID training recipe from YAML: checked values, unknown keys refused."""

from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.config.fields import Section
from pipeline.config.load import read_yaml
from pipeline.errors import UserError, unknown_name
from pipeline.paths import config_folder
from reid_model.data import READERS
from reid_model.training.recipe import Recipe


class _Checked(Section):
    """The section's rules (unknown keys refused, finite numbers) reach into the plain recipe."""

    recipe: Recipe


def load_recipe(name_or_path: str) -> Recipe:
    """The recipe of a file, or one of ours by its name, such as ``market1501``.

    Raises UserError that names the file, the key and what was expected.
    """
    path = recipe_path(name_or_path)
    values = read_yaml(path)
    try:
        recipe = _Checked.model_validate({"recipe": values or {}}).recipe
    except ValidationError as error:
        raise UserError(f"{path}: {_first_fault(error)}") from None
    if recipe.data not in READERS:
        raise UserError(f"{path}: {unknown_name('data set', recipe.data, READERS)}")
    return recipe


def recipe_path(name_or_path: str) -> Path:
    """Where a recipe lies. Raises UserError for what is neither a file nor one of our names."""
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return path
    known = {found.stem: found for found in sorted((config_folder() / "reid").glob("*.yaml"))}
    if name_or_path not in known:
        raise UserError(
            f"{unknown_name('recipe', name_or_path, known)}. The path of your own works too"
        )
    return known[name_or_path]


def _first_fault(error: ValidationError) -> str:
    # A key with a slip says more than what follows from it.
    fault: Any = min(error.errors(), key=lambda one: one["type"] != "unexpected_keyword_argument")
    location = [str(part) for part in fault["loc"][1:]]
    key = ".".join(location) or "the recipe"
    if fault["type"] == "unexpected_keyword_argument":
        return f"unknown key {key!r}. {_nearest(location)}"
    message = fault["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    got = "" if isinstance(fault["input"], dict | list) else f", got {fault['input']!r}"
    return f"{key}: {message}{got}"


def _nearest(location: list[str]) -> str:
    """What the unknown key at ``location`` may have meant."""
    section: Any = Recipe()
    for part in location[:-1]:
        section = getattr(section, part)
    known = list(section.__dataclass_fields__)
    near = get_close_matches(location[-1], known, n=1, cutoff=0.5)
    return f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}"
