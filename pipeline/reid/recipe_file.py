"""Load a ReID training recipe from YAML; unknown keys are errors."""

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
    """Applies the rules of a section (known keys, finite numbers) to the plain recipe."""

    recipe: Recipe


def load_recipe(name_or_path: str) -> Recipe:
    """The recipe in a file, or a built-in one by its name, such as ``market1501``.

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
