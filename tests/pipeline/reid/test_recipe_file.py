from pathlib import Path

import pytest
import yaml

from pipeline.errors import UserError
from pipeline.paths import config_folder
from pipeline.reid.recipe_file import load_recipe
from reid_model.data import READERS
from reid_model.training.recipe import Recipe

OURS = sorted((config_folder() / "reid").glob("*.yaml"))


def fault(folder: Path, text: str) -> str:
    """What is said of a recipe: one line that names the file."""
    path = folder / "mine.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as raised:
        load_recipe(str(path))
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_ours_are_valid_and_found_by_name(path: Path) -> None:
    recipe = load_recipe(path.stem)
    assert recipe == load_recipe(str(path))
    assert recipe.data in READERS


def test_there_is_one_for_each_set() -> None:
    assert {path.stem for path in OURS} == {
        *("market1501", "msmt17", "dukemtmc", "occluded-duke", "cuhk03", "folder"),
        "omni-scale",
    }


def test_market1501_yaml_is_every_key_with_its_default() -> None:
    path = config_folder() / "reid" / "market1501.yaml"
    assert load_recipe(str(path)) == Recipe(data="market1501")
    written = yaml.safe_load(path.read_text())
    assert list(written) == list(Recipe.__dataclass_fields__)
    for name, values in written.items():
        if isinstance(values, dict):
            part = getattr(Recipe(), name)
            assert list(values) == list(part.__dataclass_fields__), name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stage2: {epoch: 3}", "unknown key 'stage2.epoch'. Did you mean 'epochs'?"),
        ("zzz: 3", "unknown key 'zzz'. Known: data, seed, precision, model,"),
        ("stage2: {epochs: many}", "stage2.epochs: expected a valid integer"),
        ("stage2: {epochs: 0}", "stage2: epochs must be at least 1, got 0"),
        ("stage2: {learning_rate: .inf}", "stage2.learning_rate: expected a finite number"),
        ("stage1: {mode: C}", "stage1.mode: expected 'A' or 'B', got 'C'"),
        ("model: {image_size: [256]}", "model.image_size.1 is missing"),
        ("model: {texts: false}", "model: text_guidance needs texts"),
        ("data: market", "unknown data set 'market'. Did you mean 'market1501'?"),
        ("[1, 2]", "the top: "),
        ("a: [", "is not valid YAML"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, text: str, said: str) -> None:
    assert said in fault(tmp_path, text)


def test_old_names_work_with_one_warning_each(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("teaching: {teachers: [a], look: always}")
    old = load_recipe(str(path))
    assert caplog.messages == [
        f"{path}: teaching is deprecated, use distillation instead",
        f"{path}: teaching.look: always is deprecated, "
        "use distillation.teacher_view: augmented instead",
    ]
    path.write_text("distillation: {teachers: [a], teacher_view: augmented}")
    assert load_recipe(str(path)) == old
    assert len(caplog.messages) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "teaching: {}\ndistillation: {}",
            "teaching is the old name of distillation: expected one",
        ),
        (
            "distillation: {look: once, teacher_view: plain}",
            "look is the old name of distillation.teacher_view: expected one of the two",
        ),
        ("teaching: {look: never}", "teacher_view: expected 'plain' or 'augmented', got 'never'"),
        ("teaching: {look: [once]}", "teacher_view: expected 'plain' or 'augmented', got a list"),
        ("teaching: 3", "distillation: "),
        ("distillation: {teacher_view: always}", "expected 'plain' or 'augmented', got 'always'"),
    ],
)
def test_faults_under_old_names(tmp_path: Path, text: str, said: str) -> None:
    assert said in fault(tmp_path, text)


def test_an_empty_file_is_all_defaults(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("")
    assert load_recipe(str(tmp_path / "mine.yaml")) == Recipe()


def test_an_unknown_name_and_a_missing_file_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"unknown recipe 'market'\. Did you mean 'market1501'"):
        load_recipe("market")
    with pytest.raises(UserError, match=r"cannot read .*gone\.yaml: No such file"):
        load_recipe(str(tmp_path / "gone.yaml"))
