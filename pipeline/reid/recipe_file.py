"""Load a ReID training recipe from YAML; unknown keys are errors."""

import logging
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.config.faults import first_fault
from pipeline.config.fields import Section
from pipeline.config.load import read_yaml
from pipeline.errors import UserError, unknown_name
from pipeline.paths import config_folder
from reid_model.data import READERS
from reid_model.training.recipe import Recipe, current_names

_log = logging.getLogger(__name__)


class _Checked(Section):
    """Applies the rules of a section (known keys, finite numbers) to the plain recipe."""

    recipe: Recipe


def load_recipe(name_or_path: str) -> Recipe:
    """The recipe in a file, or a built-in one by its name, such as ``market1501``.

    Logs a warning for each key that has its old name. Raises UserError that names the file, the
    key and what was expected.
    """
    path = recipe_path(name_or_path)
    values = _current(read_yaml(path), path)
    try:
        recipe = _Checked.model_validate({"recipe": values or {}}).recipe
    except ValidationError as error:
        raise UserError(f"{path}: {first_fault(error, Recipe, skip=1)}") from None
    if recipe.data not in READERS:
        raise UserError(f"{path}: {unknown_name('data set', recipe.data, READERS)}")
    return recipe


def _current(values: Any, path: Path) -> Any:
    """``values`` with current names. Raises UserError for a key under both of its names."""

    def warn(old: str, new: str) -> None:
        _log.warning("%s: %s is deprecated, use %s instead", path, old, new)

    if not isinstance(values, dict):
        return values
    try:
        return current_names(values, warn)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None


def recipe_path(name_or_path: str) -> Path:
    """The file of a recipe. Raises UserError for neither a file nor the name of a built-in one."""
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return path
    known = {found.stem: found for found in sorted((config_folder() / "reid").glob("*.yaml"))}
    if name_or_path not in known:
        raise UserError(
            f"{unknown_name('recipe', name_or_path, known)}. Or give the path of a recipe file"
        )
    return known[name_or_path]
