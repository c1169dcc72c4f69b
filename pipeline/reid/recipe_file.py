"""A ReID training recipe from YAML: checked values, unknown keys refused."""

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
from reid_model.training.recipe import Recipe
from reid_model.training.renamed import current_names

_log = logging.getLogger(__name__)


class _Checked(Section):
    """The section's rules (unknown keys refused, finite numbers) reach into the plain recipe."""

    recipe: Recipe


def load_recipe(name_or_path: str) -> Recipe:
    """The recipe of a file, or one of ours by its name, such as ``market1501``.

    A warning names each key that is given by its old name. Raises UserError that names the file,
    the key and what was expected.
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
        _log.warning("%s: %s is called %s now; the old name will go", path, old, new)

    if not isinstance(values, dict):
        return values
    try:
        return current_names(values, warn)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None


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
