"""A ReID training recipe from YAML: checked values, unknown keys refused."""

from pathlib import Path

from pydantic import ValidationError

from pipeline.config.faults import first_fault
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
        raise UserError(f"{path}: {first_fault(error, Recipe, skip=1)}") from None
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
