"""The int8 form of a model: when it is used, and that nncf makes one."""

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from reid_model import quantised, trained_embedder
from reid_model.openvino_runtime import convert_network, core, import_openvino
from reid_model.quantised import int8_is_preferred, quantise_file, quantised_file
from reid_model.trained_embedder import open_trained, sample_pictures, trained_spec
from reid_model.training.model_files import load_model, save_model
from reid_toys import toy_embedder, toy_model, toy_pictures

#: A random network would not test the tool.
OPEN = Path(trained_embedder.__file__).parent / "weights" / "omni-scale-open.safetensors"
RECIPE = toy_model(embedding="after")


def saved(folder: Path) -> Path:
    path = folder / "model.safetensors"
    save_model(path, toy_embedder(RECIPE), RECIPE)
    return path


def other_form(path: Path, share: float) -> None:
    """Write a model with weights changed by ``share`` as the int8 form."""
    network, recipe = load_model(path)
    with torch.no_grad():
        for value in network.trunk.encoder.layer4.parameters():
            value.mul_(1 + share * torch.randn(value.shape, generator=torch.manual_seed(1)))
    spec = trained_spec(recipe)
    converted = convert_network(network, spec.height, spec.width)
    import_openvino().save_model(converted, quantised_file(path))


def vectors(path: Path) -> np.ndarray:
    return open_trained(path, "cpu", batch=4).embed(toy_pictures())


@pytest.mark.parametrize("pays", [True, False])
def test_it_is_used_where_int8_is_preferred(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pays: bool
) -> None:
    path = saved(tmp_path)
    before = vectors(path)
    other_form(path, 0.02)
    monkeypatch.setattr(trained_embedder, "int8_is_preferred", lambda: pays)
    assert np.array_equal(vectors(path), before) != pays


def test_a_form_of_another_model_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = saved(tmp_path)
    before = vectors(path)
    other_form(path, 3.0)
    monkeypatch.setattr(trained_embedder, "int8_is_preferred", lambda: True)
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(vectors(path), before)
    assert "is not the int8 form of" in caplog.text


def test_int8_is_preferred_without_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    class Processor:
        def __init__(self, can: list[str]) -> None:
            self.can = can

        def get_property(self, device: str, name: str) -> list[str]:
            assert (device, name) == ("CPU", "OPTIMIZATION_CAPABILITIES")
            return self.can

    for can, pays in ((["FP32", "INT8"], True), (["FP32", "BF16", "INT8"], False)):
        monkeypatch.setattr(quantised, "core", lambda can=can: Processor(can))
        assert int8_is_preferred() == pays
    assert "FP32" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_quantised_vectors_are_close(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("nncf", reason="nncf, which makes the int8 form, is not installed")
    path = tmp_path / OPEN.name
    shutil.copy(OPEN, path)
    before = vectors(path)
    network, recipe = load_model(path)
    spec = trained_spec(recipe)
    pictures = list(sample_pictures(8, spec.height, spec.width))
    assert quantise_file(network, spec, pictures, path) == quantised_file(path)
    assert '"FakeQuantize"' in quantised_file(path).read_text()
    monkeypatch.setattr(trained_embedder, "int8_is_preferred", lambda: True)
    found = vectors(path)
    assert (found * before).sum(axis=1).min() > 0.6
    assert not np.array_equal(found, before)
