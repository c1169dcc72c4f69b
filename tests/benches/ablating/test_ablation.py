"""A whole ablation of a tiny network on maps of noise."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ablating.ablation import (
    VARIANTS,
    Ablation,
    TrainingOutcome,
    late_features,
    run_ablation,
    start_metrics,
)
from reid_model.data.reid_set import ReidImage, ReidSet
from reid_model.networks.fused import FusedModel
from reid_model.networks.omni_scale import OmniScale
from reid_model.training.kept_maps import KeptMaps
from reid_model.training.late_stages import Known, LateRecipe

pytestmark = pytest.mark.usefixtures("one_thread")

SHAPE = (96, 4, 2)
IMAGES = tuple(ReidImage(Path(f"{n}.png"), n // 4, n % 2) for n in range(24))
RECIPE = LateRecipe(
    steps=3, identities=3, images=2, learning_rate=3e-3, warm_up=1, precision="float32"
)


def start(modules: int) -> FusedModel:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        encoder = OmniScale(16, 12, (64, 32))
        return FusedModel(encoder, 1, mscsa_modules=modules, embedding="projected").eval()


def maps(folder: Path, images: Sequence[ReidImage]) -> KeptMaps:
    """Noise around a map for each person."""
    kept = KeptMaps(folder, 1, len(images), SHAPE)
    random = np.random.default_rng(1)
    centres = random.normal(size=(6, *SHAPE))
    values = np.stack([centres[one.identity] + random.normal(size=SHAPE) for one in images])
    kept.write(0, 0, np.maximum(values, 0).astype(np.float32))
    return kept


def ablation(folder: Path, said: list[str] | None = None) -> Ablation:
    kept = maps(folder / "train", IMAGES)
    tested = ReidSet("toys", (), IMAGES[::2], IMAGES[1::2])
    vectors = F.normalize(late_features(start(0), kept, len(IMAGES)), dim=1)
    return Ablation(
        recipe=RECIPE,
        start=start,
        images=IMAGES,
        classes=torch.tensor([image.identity for image in IMAGES]),
        kept=kept,
        versions=1,
        known=Known(vectors, vectors),
        texts=torch.randn(6, 12, generator=torch.Generator().manual_seed(2)),
        tests=[(tested, maps(folder / "test", (*tested.query, *tested.gallery)))],
        out=folder / "out",
        say=(said if said is not None else []).append,
    )


def figures(outcome: TrainingOutcome) -> TrainingOutcome:
    """The outcome without its time."""
    return replace(outcome, minutes=0.0)


def test_finished_trainings_are_reused(tmp_path: Path) -> None:
    said: list[str] = []
    first = run_ablation(ablation(tmp_path, said), list(VARIANTS), [1, 2])
    assert len(said) == 2 * len(VARIANTS)
    assert all(len(found) == 2 for found in first.values())
    sizes = {name: found[0].parameters for name, found in first.items()}
    assert sizes["baseline"] == sizes["texts"] == sizes["tgi"]
    assert sizes["baseline"] < sizes["mscsa"] == sizes["both"] < sizes["mscsa-4"]
    again: list[str] = []
    assert run_ablation(ablation(tmp_path, again), list(VARIANTS), [1, 2]) == first
    assert again == []


def test_the_same_seed_gives_the_same_figures(tmp_path: Path) -> None:
    one, two = (
        figures(run_ablation(ablation(tmp_path / name), ["both"], [4])["both"][0]) for name in "ab"
    )
    assert one == two


def test_every_variant_starts_from_the_open_network(tmp_path: Path) -> None:
    still = replace(ablation(tmp_path), recipe=replace(RECIPE, learning_rate=0.0))
    begin = start_metrics(still)
    for (found,) in run_ablation(still, list(VARIANTS), [1]).values():
        assert found.mean_average_precision == begin.mean_average_precision
    moved = run_ablation(replace(ablation(tmp_path), out=tmp_path / "moved"), ["texts"], [1])
    assert moved["texts"][0].mean_average_precision != begin.mean_average_precision


def test_other_settings_need_another_folder(tmp_path: Path) -> None:
    run_ablation(ablation(tmp_path), ["baseline"], [1])
    longer = replace(ablation(tmp_path), recipe=replace(RECIPE, steps=4))
    with pytest.raises(ValueError, match=r"baseline\.json was made with other settings"):
        run_ablation(longer, ["baseline"], [1])


def test_an_unknown_variant_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown variant 'mcsa': known are baseline"):
        run_ablation(ablation(tmp_path), ["mcsa"], [1])
    assert not (tmp_path / "out").exists()
