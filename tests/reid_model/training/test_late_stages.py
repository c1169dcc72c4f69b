"""Kept maps, and the late stages learning on them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset

from reid_model.data.reid_set import ReidImage
from reid_model.networks.fused import FusedModel
from reid_model.networks.omni_scale import OmniScale
from reid_model.training.kept_maps import KeptMaps, keep_maps
from reid_model.training.late_stages import Known, LateRecipe, mixed_weights, train_late

SIZE = (64, 32)
COUNT = 24
#: Six people before two cameras, two pictures each; half of them in another set.
IMAGES = [
    ReidImage(Path(f"set{number // 12}/{number}.png"), number // 4, number % 2)
    for number in range(COUNT)
]
RECIPE = LateRecipe(
    steps=20,
    identities=4,
    learning_rate=3e-3,
    warm_up=2,
    embedding=0.0,
    similarity=0.0,
    average=0.5,
    precision="float32",
)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Two threads on maps as small as these wait for each other most of the time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Pictures(Dataset[Tensor]):
    """Noise around a colour for each person."""

    def __init__(self, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        colours = torch.randn(6, 3, 8, 4, generator=torch.Generator().manual_seed(9))
        large = F.interpolate(colours, SIZE)[torch.arange(COUNT) // 4]
        self.pictures = large + 0.5 * torch.randn(COUNT, 3, *SIZE, generator=generator)

    def __getitem__(self, index: int) -> Tensor:
        return self.pictures[index]

    def __len__(self) -> int:
        return COUNT


def new_model() -> FusedModel:
    torch.manual_seed(3)
    encoder = OmniScale(16, 12, SIZE)
    return FusedModel(encoder, 1, mscsa_modules=3, embedding="projected").eval()


def kept_in(folder: Path, model: FusedModel) -> KeptMaps:
    kept = KeptMaps(folder, 2, COUNT, (96, 4, 2))
    for version in range(2):
        keep_maps(kept, version, model.trunk, Pictures(version), COUNT)
    return kept


def start_of(model: FusedModel) -> Tensor:
    with torch.inference_mode():
        return model.embed(Pictures(0).pictures).clone()


def test_what_is_kept_is_what_the_early_stages_say(tmp_path: Path) -> None:
    model = new_model()
    told: list[int] = []
    kept = KeptMaps(tmp_path, 1, COUNT, (96, 4, 2))
    pictures = Pictures(5)
    keep_maps(kept, 0, model.trunk, pictures, COUNT, lambda done, count: told.append(done))
    with torch.inference_mode():
        expected = model.trunk.early(pictures.pictures)
    found = kept.read([0, 0], [3, 20])
    torch.testing.assert_close(found, expected[[3, 20]], rtol=0.03, atol=0.03)
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert told == [16, COUNT]
    again = KeptMaps(tmp_path, 1, COUNT, (96, 4, 2))
    torch.testing.assert_close(again.read([0], [7]), kept.read([0], [7]))


def test_early_and_late_are_the_trunk() -> None:
    model, pictures = new_model(), Pictures(1).pictures
    with torch.inference_mode():
        whole, halves = model.trunk(pictures), model.trunk.late(model.trunk.early(pictures))
    torch.testing.assert_close(whole.f_proj, halves.f_proj)


def test_people_are_learned_and_only_late_stages_change(tmp_path: Path) -> None:
    model = new_model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    known = Known(start_of(model), start_of(model))
    rows: list[dict[str, float]] = []
    average = train_late(
        model,
        kept_in(tmp_path, model),
        2,
        IMAGES,
        known,
        RECIPE,
        lambda step, losses: rows.append(losses),
    )
    first, last = (sum(row["people"] for row in some) for some in (rows[:4], rows[-4:]))
    assert last < first
    changed = {
        name for name, value in average.state_dict().items() if not torch.equal(value, before[name])
    }
    late = ("trunk.encoder.layer3", "trunk.encoder.layer4", "trunk.encoder.pool")
    assert all(any(name.startswith(part) for name in changed) for part in late)
    assert "trunk.mscsa.2.spatial.norm.weight" in changed
    early = ("trunk.encoder.first", "trunk.encoder.layer1", "trunk.encoder.layer2")
    assert not any(name.startswith((*early, "trunk.mscsa.0", "trunk.mscsa.1")) for name in changed)
    assert not average.training
    assert not torch.equal(average.trunk.encoder.pool.weight, model.trunk.encoder.pool.weight)


def test_the_same_seed_learns_the_same(tmp_path: Path) -> None:
    def learned(folder: str, seed: int) -> Tensor:
        model = new_model()
        known = Known(start_of(model), start_of(model))
        recipe = LateRecipe(steps=2, identities=3, seed=seed, precision="float32")
        kept = kept_in(tmp_path / folder, model)
        return train_late(model, kept, 2, IMAGES, known, recipe).trunk.encoder.pool.weight

    one = learned("one", 1)
    assert torch.equal(one, learned("again", 1))
    assert not torch.equal(one, learned("other", 2))


def test_staying_near_keeps_vectors_near(tmp_path: Path) -> None:
    def moved(embedding: float) -> float:
        model = new_model()
        start = start_of(model)
        recipe = LateRecipe(
            steps=4,
            identities=4,
            learning_rate=3e-3,
            warm_up=0,
            embedding=embedding,
            similarity=0.0,
            average=0.0,
            precision="float32",
        )
        kept = kept_in(tmp_path / str(embedding), model)
        trained = train_late(model, kept, 2, IMAGES, Known(start, start), recipe)
        return float((start_of(trained) * start).sum(dim=1).mean())

    assert moved(30.0) > moved(0.0)


def test_nobody_to_learn(tmp_path: Path) -> None:
    model = new_model()
    known = Known(start_of(model), start_of(model))
    with pytest.raises(ValueError, match="no pictures"):
        train_late(model, KeptMaps(tmp_path, 1, 1, (96, 4, 2)), 1, [], known, RECIPE)


def test_mixed_weights_lie_between() -> None:
    start, trained = new_model().state_dict(), new_model().state_dict()
    name = "trunk.encoder.pool.weight"
    trained[name] = trained[name] + 1
    mixed = mixed_weights(start, trained, 0.25)
    torch.testing.assert_close(mixed[name], start[name] + 0.25)
    assert mixed.keys() == start.keys()
    count = "trunk.mscsa.0.spatial.norm.num_batches_tracked"
    assert torch.equal(mixed[count], trained[count])
