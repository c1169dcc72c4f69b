"""Kept maps, and the late stages learning on them."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset

from reid_model.data.composed_pictures import LabelledPictures
from reid_model.data.person_masks import SIZE as SIZE_OF_MASK
from reid_model.data.person_masks import PersonMasks
from reid_model.data.reid_set import ReidImage
from reid_model.networks.fused import FusedModel
from reid_model.networks.omni_scale import OmniScale
from reid_model.networks.text_guidance import TextGuidance
from reid_model.training.kept_maps import (
    ChangedPictures,
    CutOutPictures,
    Early,
    KeptMaps,
    early_stages,
    keep_maps,
    keep_versions,
)
from reid_model.training.late_stages import (
    ClassTexts,
    Known,
    LateRecipe,
    late_start,
    mixed_weights,
    train_late,
)
from reid_model.training.model_files import save_model
from reid_model.training.recipe import ModelRecipe

pytestmark = pytest.mark.usefixtures("one_thread")

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


@pytest.fixture(scope="module")
def early() -> Early:
    """The early stages of `new_model`."""
    return early_stages(new_model().trunk)


@pytest.fixture(scope="module")
def kept(early: Early, tmp_path_factory: pytest.TempPathFactory) -> KeptMaps:
    """Two versions of the pictures' maps, of `new_model`."""
    found = KeptMaps(tmp_path_factory.mktemp("maps"), 2, COUNT, (96, 4, 2))
    for version in range(2):
        keep_maps(found, version, early, Pictures(version), COUNT)
    return found


def start_of(model: FusedModel) -> Tensor:
    with torch.inference_mode():
        return model.embed(Pictures(0).pictures).clone()


def test_what_is_kept_is_what_the_early_stages_say(early: Early, tmp_path: Path) -> None:
    model = new_model()
    told: list[int] = []
    kept = KeptMaps(tmp_path, 1, COUNT, (96, 4, 2))
    pictures = Pictures(5)
    keep_maps(kept, 0, early, pictures, COUNT, lambda done, count: told.append(done))
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


def test_people_are_learned_and_only_late_stages_change(kept: KeptMaps) -> None:
    model = new_model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    known = Known(start_of(model), start_of(model))
    rows: list[dict[str, float]] = []
    average = train_late(
        model,
        kept,
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


def test_the_same_seed_learns_the_same(kept: KeptMaps) -> None:
    def learned(seed: int) -> Tensor:
        model = new_model()
        known = Known(start_of(model), start_of(model))
        recipe = LateRecipe(steps=2, identities=3, seed=seed, precision="float32")
        return train_late(model, kept, 2, IMAGES, known, recipe).trunk.encoder.pool.weight

    one = learned(1)
    assert torch.equal(one, learned(1))
    assert not torch.equal(one, learned(2))


def test_staying_near_keeps_vectors_near(kept: KeptMaps) -> None:
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
        trained = train_late(model, kept, 2, IMAGES, Known(start, start), recipe)
        return float((start_of(trained) * start).sum(dim=1).mean())

    assert moved(30.0) > moved(0.0)


@pytest.mark.parametrize("guided", [False, True])
def test_texts_teach_and_guidance_learns(kept: KeptMaps, guided: bool) -> None:
    model = new_model()
    start = start_of(model)
    torch.manual_seed(4)
    guidance = TextGuidance(12, 128, width=8, heads=2, layers=1) if guided else None
    texts = ClassTexts(torch.randn(6, 12), torch.arange(COUNT) // 4, guidance)
    before = [] if guidance is None else [value.clone() for value in guidance.parameters()]
    rows: list[dict[str, float]] = []
    train_late(
        model,
        kept,
        2,
        IMAGES,
        Known(start, start),
        RECIPE,
        lambda step, losses: rows.append(losses),
        texts,
    )
    first, last = (sum(row["texts"] for row in some) for some in (rows[:4], rows[-4:]))
    assert last < first
    if guidance is not None:
        moved = [not torch.equal(a, b) for a, b in zip(before, guidance.parameters(), strict=True)]
        assert sum(moved) > len(moved) / 2


def test_the_third_stage_can_stay(kept: KeptMaps) -> None:
    model = new_model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    known = Known(start_of(model), start_of(model))
    recipe = LateRecipe(steps=2, identities=3, third_stage=False, precision="float32")
    average = train_late(model, kept, 2, IMAGES, known, recipe).state_dict()
    changed = {name for name, value in average.items() if not torch.equal(value, before[name])}
    assert not any(name.startswith("trunk.encoder.layer3") for name in changed)
    assert any(name.startswith("trunk.encoder.layer4") for name in changed)


def test_a_start_says_what_its_file_says(tmp_path: Path) -> None:
    recipe = ModelRecipe(
        encoder="omni-scale",
        width=16,
        output_dim=12,
        image_size=SIZE,
        mscsa_modules=0,
        embedding="projected",
        texts=False,
        text_guidance=False,
    )
    torch.manual_seed(3)
    plain = FusedModel(OmniScale(16, 12, SIZE), 1, mscsa_modules=0, embedding="projected").eval()
    save_model(tmp_path / "m.safetensors", plain.deploy(), recipe)
    model, found = late_start(tmp_path / "m.safetensors", 3)
    assert (found.mscsa_modules, len(model.trunk.mscsa)) == (3, 3)
    torch.testing.assert_close(start_of(model), start_of(plain))


def test_versions_are_kept_once(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    images = []
    for number in range(3):
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), random.integers(0, 256, (64, 32, 3), np.uint8))
        images.append(ReidImage(path, number, 0))
    trunk, told = new_model().trunk, list[int]()
    kept = keep_versions(tmp_path / "maps", trunk, images, 2, lambda done, count: told.append(done))
    assert told == [3, 3]
    maps = kept.read([0, 1], [1, 1])
    assert maps.shape == (2, 96, 4, 2)
    assert not torch.equal(maps[0], maps[1])
    again = keep_versions(tmp_path / "maps", trunk, images, 2, lambda done, count: told.append(-1))
    assert told == [3, 3]
    assert torch.equal(again.read([0, 1], [1, 1]), maps)
    again.write(0, 0, np.zeros((3, 96, 4, 2), np.float32))
    (tmp_path / "maps" / "done-0").write_text("1")
    resumed = keep_versions(tmp_path / "maps", trunk, images, 2)
    assert resumed.read([0], [0]).count_nonzero() == 0
    assert torch.equal(resumed.read([0, 1], [1, 1]), maps)


def test_more_versions_are_kept_after_the_others(tmp_path: Path) -> None:
    images = []
    for number in range(2):
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), np.full((64, 32, 3), 100 * number, np.uint8))
        images.append(ReidImage(path, number, 0))
    trunk, more = new_model().trunk, Pictures(3)
    kept = keep_versions(tmp_path / "maps", trunk, images, 1, more=[more])
    with torch.inference_mode():
        expected = trunk.early(more.pictures[:2])
    torch.testing.assert_close(kept.read([1, 1], [0, 1]), expected, rtol=0.03, atol=0.03)


def test_people_whose_masks_are_trusted_are_cut_out(tmp_path: Path) -> None:
    images = []
    for number in range(2):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((128, 64, 3), 120, np.uint8))
        images.append(ReidImage(tmp_path / f"{number}.png", number, 0))
    masks = np.zeros((2, *SIZE_OF_MASK), np.int8)
    masks[:, 20:110, 16:48] = 1
    overlaps, joints = np.array([0.9, 0.2], np.float32), np.full((2, 33, 3), 0.5, np.float32)
    pictures = LabelledPictures(tmp_path, PersonMasks(("0.png", "1.png"), masks, overlaps, joints))
    found = CutOutPictures(images, {0: 0}, pictures, 1000)
    changed = ChangedPictures(images, 1000, (256, 128))
    assert found[0].shape == found[1].shape == (3, 256, 128)
    assert torch.equal(found[1], changed[1])
    assert not torch.equal(found[0], changed[0])


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
