"""An exported model in the running pipeline."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.config.schema import ReidConfig
from pipeline.errors import UserError
from pipeline.reid.embedding import default_calibration, open_embedder, similarity_calibration
from pipeline.reid.export import export_file
from reid_model.similarity import SimilarityFit
from reid_model.trained_embedder import min_cosine
from reid_model.training.model_files import save_model
from reid_toys import toy_embedder, toy_model, toy_pictures
from trackers.association.appearance import Calibration

RECIPE = toy_model(embedding="after", mscsa_modules=0)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "model.safetensors"
    fit = SimilarityFit(12.5, 0.4, 0.25, 0.1, 0.3, 0.5)
    save_model(path, toy_embedder(RECIPE), RECIPE, fit)
    return path


@pytest.mark.parametrize(("how", "name"), [("onnx", "net.onnx"), ("openvino", "net.xml")])
def test_the_file_is_opened_by_the_pipeline(
    how: str, name: str, model: Path, tmp_path: Path
) -> None:
    export_file(str(model), how, tmp_path / name)
    config = ReidConfig(model=str(tmp_path / name))
    crops = toy_pictures()
    found = open_embedder(config, "cpu").embed(crops)
    expected = open_embedder(ReidConfig(model=str(model)), "cpu").embed(crops)
    # Each in the processor's own precision.
    assert min_cosine(found, expected) > 0.98
    assert similarity_calibration(config) == similarity_calibration(ReidConfig(model=str(model)))
    assert similarity_calibration(config) == Calibration(12.5, 0.4, 0.25, 0.1, 0.3, 0.5)


def test_a_model_of_which_nothing_was_fitted(tmp_path: Path) -> None:
    save_model(tmp_path / "m.safetensors", toy_embedder(RECIPE), RECIPE)
    export_file(str(tmp_path / "m.safetensors"), "openvino", tmp_path / "net.xml")
    config = ReidConfig(model=str(tmp_path / "net.xml"))
    assert similarity_calibration(config) == default_calibration()


def test_what_cannot_be_exported_is_named(model: Path, tmp_path: Path) -> None:
    nan = toy_embedder(RECIPE)
    torch.nn.init.constant_(nan.trunk.encoder.conv1.weight, np.nan)
    save_model(tmp_path / "nan.safetensors", nan, RECIPE)
    (tmp_path / "cut.safetensors").write_bytes(model.read_bytes()[:-100])
    for name, how, out, words in (
        (model, "tflite", "net.tflite", "unknown format 'tflite'.*onnx, openvino, torchscript"),
        (model, "onnx", "net.xml", r"must end with \.onnx"),
        (model, "onnx", "gone/net.onnx", "cannot write"),
        (tmp_path / "nan.safetensors", "openvino", "net.xml", "NaN"),
        (tmp_path / "cut.safetensors", "openvino", "net.xml", "is damaged"),
        ("osnet-x0.25-msmt17", "openvino", "net.xml", "osnet-x0.25-msmt17"),
    ):
        with pytest.raises(UserError, match=words):
            export_file(str(name), how, tmp_path / out)
    assert {path.suffix for path in tmp_path.iterdir()} == {".safetensors"}
