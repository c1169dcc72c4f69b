"""Exported files, opened by the usual programs."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from reid_model import export
from reid_model.export import FORMATS, export_model
from reid_model.openvino_runtime import core
from reid_model.trained_embedder import trained_spec
from reid_toys import toy_batch, toy_embedder, toy_model

RECIPE = toy_model(embedding="after", standardise=True)
NAMES = {"onnx": "model.onnx", "openvino": "model.xml", "torchscript": "model.pt"}


def run(path: Path, pixels: np.ndarray) -> np.ndarray:
    if path.suffix == ".pt":
        with torch.inference_mode():
            vectors: np.ndarray = torch.jit.load(path)(torch.from_numpy(pixels)).numpy()  # type: ignore[no-untyped-call]
        return vectors
    compiled = core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.asarray(compiled({"pictures": pixels})["vectors"])


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("how", FORMATS)
def test_a_file_gives_the_vectors_of_any_batch(how: str, tmp_path: Path) -> None:
    network, out = toy_embedder(RECIPE), tmp_path / NAMES[how]
    assert export_model(network, trained_spec(RECIPE), how, out) >= 0.999
    pixels = toy_batch(RECIPE).numpy()
    with torch.inference_mode():
        expected = network(torch.from_numpy(pixels)).numpy()
    for count in (1, 2, 5):
        found = run(out, pixels[:count])
        assert found.shape == (count, 32 * 4 + 16)
        assert (found * expected[:count]).sum(axis=1).min() >= 0.999
    files = {"model.xml", "model.bin"} if how == "openvino" else {NAMES[how]}
    assert {path.name for path in tmp_path.iterdir()} == files


def test_the_onnx_file_is_valid_and_names_input_and_output(tmp_path: Path) -> None:
    out = tmp_path / "model.onnx"
    export_model(toy_embedder(RECIPE), trained_spec(RECIPE), "onnx", out)
    model = onnx.load(out)
    onnx.checker.check_model(model, full_check=True)
    (pictures,), (vectors,) = model.graph.input, model.graph.output
    assert [d.dim_value for d in pictures.type.tensor_type.shape.dim][1:] == [3, 64, 32]
    assert pictures.type.tensor_type.shape.dim[0].dim_param == "n"
    assert (pictures.name, vectors.name) == ("pictures", "vectors")


@pytest.mark.parametrize("how", FORMATS)
def test_other_vectors_leave_no_file(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / NAMES[how]
    out.write_text("what was there before")
    spec = trained_spec(RECIPE)
    right = export.torch_vectors
    monkeypatch.setattr(export, "torch_vectors", lambda *a: np.roll(right(*a), 1, axis=1))
    with pytest.raises(ValueError, match="gives other vectors than PyTorch"):
        export_model(toy_embedder(RECIPE), spec, how, out)
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
    assert out.read_text() == "what was there before"


@pytest.mark.parametrize(("cosine", "kept"), [(0.999, True), (0.99899, False)])
def test_the_smallest_cosine_that_is_accepted(
    cosine: float, kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "min_cosine", lambda found, expected: cosine)
    out = tmp_path / "model.xml"
    if kept:
        assert export_model(toy_embedder(RECIPE), trained_spec(RECIPE), "openvino", out) == cosine
    else:
        with pytest.raises(ValueError, match=r"cosine 0\.9990, expected at least 0\.999"):
            export_model(toy_embedder(RECIPE), trained_spec(RECIPE), "openvino", out)
    assert out.exists() == kept


@pytest.mark.parametrize("how", FORMATS)
def test_weights_of_nan_are_refused(how: str, tmp_path: Path) -> None:
    network = toy_embedder(RECIPE)
    torch.nn.init.constant_(network.trunk.encoder.conv1.weight, torch.nan)
    with pytest.raises(ValueError, match=r"NaN|other vectors"):
        export_model(network, trained_spec(RECIPE), how, tmp_path / NAMES[how])
    assert not list(tmp_path.iterdir())


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"for onnx must end with \.onnx, got model\.pt"):
        export_model(toy_embedder(RECIPE), trained_spec(RECIPE), "onnx", tmp_path / "model.pt")
