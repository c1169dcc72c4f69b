"""A whole ablation of a tiny network on a tiny set."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ablating.ablation import (
    Ablation,
    Outcome,
    first_identities,
    run_ablation,
    text_figures,
    variant,
)
from reid_model.data import ReidSet
from reid_model.data.captions import Caption
from reid_model.data.folder import read_folder
from reid_model.training.captions import TextRecipe
from reid_model.training.model_files import load_model
from reid_model.training.recipe import Stage1Recipe, Stage2Recipe
from reid_model.training.state import Stopped
from reid_toys import toy_model, toy_recipe, write_toy_set

pytest.importorskip("open_clip")

TEXT = TextRecipe(width=16, layers=1, heads=2, epochs=1, batch=8)
RECIPE = toy_recipe(
    toy_model(),
    stage1=Stage1Recipe(mode="A", epochs=1, batch=10, warm_up_epochs=0),
    stage2=Stage2Recipe(epochs=1, identities=3, images=2, warm_up_epochs=0),
)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> ReidSet:
    return read_folder(write_toy_set(tmp_path_factory.mktemp("toys") / "toys"))


def ablation(
    toys: ReidSet,
    out: Path,
    said: list[str] | None = None,
    stop: Callable[[], bool] = lambda: False,
    **changes: object,
) -> Ablation:
    captions = tuple(
        Caption(f"somebody in clothes {image.identity}", image.identity, (image.path,))
        for image in toys.train
    )
    whole = Ablation(
        recipe=RECIPE,
        reid_set=toys,
        captions=captions,
        out=out,
        device="cpu",
        workers=0,
        say=(said if said is not None else []).append,
        stop=stop,
        text_recipe=TEXT,
        start=None,
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


def figures(outcomes: dict[str, list[Outcome]]) -> dict[str, list[Outcome]]:
    """Outcomes without their times."""
    return {name: [replace(one, minutes=0.0) for one in each] for name, each in outcomes.items()}


def test_finished_trainings_are_reused(toys: ReidSet, tmp_path: Path) -> None:
    said: list[str] = []
    first = run_ablation(ablation(toys, tmp_path, said), ["baseline", "both"], [1, 2])
    assert [len(found) for found in first.values()] == [2, 2]
    assert "pair: stage 2, epoch 1 of 1" in said
    assert "seed-2/both: stage 1, epoch 1 of 1" in said
    assert not [line for line in said if line.startswith("seed-1/baseline: stage 1")]
    baseline, both = first["baseline"][0], first["both"][0]
    assert both.parameters > baseline.parameters
    assert 0 <= baseline.mean_average_precision <= 1
    assert baseline.minutes > 0
    assert text_figures(tmp_path)["people"] == 5
    again: list[str] = []
    assert run_ablation(ablation(toys, tmp_path, again), ["both", "baseline"], [1, 2]) == first
    assert again == []


def test_the_pair_starts_from_the_trunk_of_a_model(toys: ReidSet, tmp_path: Path) -> None:
    run_ablation(ablation(toys, tmp_path / "first"), ["mscsa"], [1])
    start = tmp_path / "first/seed-1/mscsa/model.safetensors"
    still = replace(RECIPE, stage2=replace(RECIPE.stage2, learning_rate=0.0))
    run_ablation(ablation(toys, tmp_path / "second", recipe=still, start=start), [], [])
    before, after = (
        load_model(path)[0].trunk for path in (start, tmp_path / "second/pair/model.safetensors")
    )
    assert len(before.mscsa) == 3
    assert len(after.mscsa) == 0
    learned = dict(before.named_parameters())
    kept = {name: value for name, value in after.named_parameters() if "encoder." in name}
    assert len(kept) > 20
    assert all(torch.equal(value, learned[name]) for name, value in kept.items())


def test_a_stopped_ablation_resumes(toys: ReidSet, tmp_path: Path) -> None:
    whole = run_ablation(ablation(toys, tmp_path / "whole"), ["clip-reid"], [1])
    stops = 0
    for _ in range(100):
        asked = iter([False] * 4)
        try:
            found = run_ablation(
                ablation(toys, tmp_path / "pieces", stop=lambda: next(asked, True)),  # noqa: B023
                ["clip-reid"],
                [1],
            )
            break
        except Stopped:
            stops += 1
    assert stops > 2
    assert figures(found) == figures(whole)


def test_every_variant_starts_from_the_pair(toys: ReidSet, tmp_path: Path) -> None:
    still = replace(RECIPE, stage2=replace(RECIPE.stage2, learning_rate=0.0))
    run_ablation(ablation(toys, tmp_path, recipe=still), ["baseline", "both"], [1])
    pair, baseline, both = (
        dict(load_model(tmp_path / name / "model.safetensors")[0].named_parameters())
        for name in ("pair", "seed-1/baseline", "seed-1/both")
    )
    assert len([name for name in both if "mscsa" in name]) > 0
    assert all(torch.equal(pair[name], baseline[name]) for name in pair)
    assert all(torch.equal(pair[name], both[name]) for name in pair)


def test_another_budget_needs_another_folder(toys: ReidSet, tmp_path: Path) -> None:
    run_ablation(ablation(toys, tmp_path), [], [])
    longer = replace(RECIPE, stage2=replace(RECIPE.stage2, epochs=2))
    with pytest.raises(ValueError, match=r"another recipe, which differs in stage2"):
        run_ablation(ablation(toys, tmp_path, recipe=longer), [], [])
    with pytest.raises(ValueError, match="trained on other pictures"):
        run_ablation(ablation(first_identities(toys, 4), tmp_path), [], [])


def test_variants_differ_only_in_the_model() -> None:
    both = variant(RECIPE, "both")
    assert (both.model.mscsa_modules, both.model.text_guidance) == (3, True)
    assert variant(RECIPE, "mscsa-4").model.mscsa_modules == 4
    assert not variant(RECIPE, "baseline").model.texts
    assert replace(both, model=RECIPE.model) == RECIPE


def test_an_unknown_variant_is_refused(toys: ReidSet, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown variant 'mcsa': known are baseline"):
        run_ablation(ablation(toys, tmp_path), ["mcsa"], [1])
    assert not any(tmp_path.iterdir())


def test_the_first_people_of_a_set(toys: ReidSet) -> None:
    few = first_identities(toys, 2)
    assert {image.identity for image in few.train} == {0, 1}
    assert (few.query, few.gallery) == (toys.query, toys.gallery)
    assert first_identities(toys, None) == toys
