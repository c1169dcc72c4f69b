"""The networks that come with fusetrack, as their card describes them."""

from pathlib import Path

import numpy as np
import pytest
import torch

import reid_model
from reid_model import trained_embedder
from reid_model.preprocess import normalise
from reid_model.trained_embedder import open_trained, sample_pictures, trained_spec
from reid_model.trained_fusion import open_fusion
from reid_model.training.fusion_files import load_fusion
from reid_model.training.model_files import load_model
from reid_model.weights_header import load_similarity

WEIGHTS = Path(reid_model.__file__).parent / "weights"
FUSION = WEIGHTS / "fusion-people.safetensors"
EARLY = ("trunk.encoder.first.", "trunk.encoder.layer1.", "trunk.encoder.layer2.")


@pytest.mark.parametrize("name", ["omni-scale-open", "omni-scale-people"])
def test_each_is_a_calibrated_omni_scale_network(name: str) -> None:
    path = WEIGHTS / f"{name}.safetensors"
    network, recipe = load_model(path)
    assert (recipe.encoder, recipe.embedding, recipe.mscsa_modules) == (
        "omni-scale",
        "projected",
        0,
    )
    assert sum(p.numel() for p in network.parameters()) == 2_089_337
    assert path.stat().st_size < 25e6
    fit = load_similarity(path)
    assert fit is not None
    assert fit.slope > 0
    assert -1 < fit.midpoint < 1


def test_training_changed_the_late_stages_alone() -> None:
    before, after = (
        load_model(WEIGHTS / f"omni-scale-{name}.safetensors")[0].state_dict()
        for name in ("open", "people")
    )
    assert before.keys() == after.keys()
    same = {name for name, value in before.items() if torch.equal(value, after[name])}
    assert {name for name in before if name.startswith(EARLY)} <= same
    changed = before.keys() - same
    for part in ("layer3", "layer4", "pool", "head"):
        assert any(name.startswith(f"trunk.encoder.{part}.") for name in changed), part


def test_the_eight_bit_form_is_that_of_the_model(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = WEIGHTS / "omni-scale-people.safetensors"
    pictures = list(sample_pictures(4, 256, 128))
    found = []
    for pays in (False, True):
        monkeypatch.setattr(trained_embedder, "int8_is_preferred", lambda pays=pays: pays)
        found.append(open_trained(path, "cpu", batch=4).embed(pictures))
    whole, int8 = found
    assert caplog.text == ""
    assert (whole * int8).sum(axis=1).mean() > 0.8
    assert not np.array_equal(whole, int8)


def test_the_eight_bit_form_of_the_fusion_says_all_three(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(trained_embedder, "int8_is_preferred", lambda: True)
    pictures = sample_pictures(4, 256, 128)
    found = open_fusion(FUSION, "cpu", batch=4).describe(list(pictures))
    assert caplog.text == ""
    file = load_fusion(FUSION)
    with torch.inference_mode():
        expected = file.model(torch.from_numpy(normalise(pictures, trained_spec(file.recipe))))
    vectors, texts, visible = (one.numpy() for one in expected)
    assert found.text_vectors is not None
    assert found.visibilities is not None
    assert (found.vectors * vectors).sum(axis=1).mean() > 0.8
    assert (found.text_vectors * texts).sum(axis=1).mean() > 0.9
    assert np.abs(found.visibilities - visible).mean() < 0.25
    assert not np.array_equal(found.vectors, vectors)


def test_the_fusion_is_built_around_the_fused_model() -> None:
    path = FUSION
    assert path.stat().st_size < 25e6
    file = load_fusion(path)
    fused = load_model(WEIGHTS / "omni-scale-people.safetensors")[0].state_dict()
    own = file.model.fused.state_dict()
    assert own.keys() == fused.keys()
    for name, value in own.items():
        assert torch.equal(value, fused[name]), name
    assert file.words is not None
    assert file.words.slope > 0
    assert -1 < file.words.midpoint < 1
    assert {"red", "jacket", "backpack", "trousers"} <= set(file.words.known)
    # Who somebody is was in no description.
    assert not {"man", "woman", "asian", "elderly"} & set(file.words.known)
    assert file.similarity is not None
    assert file.similarity.slope > 0
