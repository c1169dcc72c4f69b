"""The OpenVINO form of a model is kept, read again, and made anew when anything changed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reid_model import kept_form, trained_embedder
from reid_model.embedder import Embedder
from reid_model.fusion_embedder import FusionEmbedder
from reid_model.kept_form import Form, keep, open_kept
from reid_model.openvino_runtime import import_openvino
from reid_model.preprocess import EmbedderSpec
from reid_model.trained_embedder import open_trained
from reid_model.training.model_files import save_model
from reid_toys import toy_embedder, toy_model

FORM = Form(EmbedderSpec(8, 4, "rgb", 1 / 255, (0.5, 0.4, 0.3), (0.2, 0.2, 0.2)), "f32")
CROPS = list(np.random.default_rng(0).integers(0, 255, (3, 8, 4, 3), np.uint8))


def network() -> Any:
    """The mean of each colour of both halves of a picture: ``(N, 6)``."""
    ops = import_openvino().opset13
    pictures = ops.parameter([-1, 3, 8, 4], np.float32)
    halves = ops.reshape(pictures, np.array([0, 6, 16]), special_zero=True)
    means = ops.reduce_mean(halves, np.array([2]), keep_dims=False)
    return import_openvino().Model([means], [pictures], "means")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model file; its contents only count for what is kept of it."""
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def forms(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "exports"


def kept(model: Path, forms: Path, form: Form = FORM) -> Embedder:
    found = keep(model, network(), form, 4, forms)
    assert found is not None
    return found


def test_a_kept_form_gives_the_same_vectors(model: Path, forms: Path) -> None:
    assert open_kept(model, 4, forms) is None
    expected = FORM.open(network(), "means", 4).embed(CROPS)
    first, again = kept(model, forms), open_kept(model, 4, forms)
    assert again is not None
    np.testing.assert_allclose(first.embed(CROPS), expected, rtol=1e-5)
    assert np.array_equal(first.embed(CROPS), again.embed(CROPS))
    assert [path.name.startswith("model-") for path in forms.iterdir()] == [True]


def test_a_form_of_three_outputs_is_one_again(model: Path, forms: Path) -> None:
    kept(model, forms, Form(FORM.spec, None, (2, 3, 1)))
    again = open_kept(model, 4, forms)
    assert isinstance(again, FusionEmbedder)
    found = again.describe(CROPS)
    assert found.text_vectors is not None
    assert found.visibilities is not None
    shapes = found.vectors.shape, found.text_vectors.shape, found.visibilities.shape
    assert shapes == ((3, 2), (3, 3), (3, 1))


def test_other_weights_code_or_eight_bits_are_another_form(
    model: Path, forms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(model, forms)
    eight = model.with_suffix(".int8.bin")
    eight.write_bytes(b"8")
    assert open_kept(model, 4, forms) is None
    eight.unlink()
    model.write_bytes(b"other weights")
    assert open_kept(model, 4, forms) is None
    model.write_bytes(b"weights")
    assert open_kept(model, 4, forms) is not None
    monkeypatch.setattr(kept_form, "_SOURCES", tmp_path)
    assert open_kept(model, 4, forms) is None


@pytest.mark.parametrize("name", ["form.json", "model.xml"])
def test_a_damaged_form_is_made_anew(
    model: Path, forms: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    kept(model, forms)
    (folder,) = forms.iterdir()
    (folder / name).write_bytes(b"{}")
    assert open_kept(model, 4, forms) is None
    assert f"{folder} is damaged" in caplog.text
    assert kept(model, forms).dimension == 6


def test_a_folder_that_cannot_be_written_keeps_nothing(model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert keep(model, network(), FORM, 4, tmp_path / "file" / "forms") is None


def test_a_model_that_is_gone_has_none(model: Path, forms: Path) -> None:
    kept(model, forms)
    model.unlink()
    assert open_kept(model, 4, forms) is None


def test_a_trained_model_is_converted_once(
    tmp_path: Path, forms: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = toy_model(embedding="after")
    path = tmp_path / "model.safetensors"
    save_model(path, toy_embedder(recipe), recipe)
    # Toy networks are too coarse in bfloat16, which another test says.
    monkeypatch.setattr(trained_embedder, "MIN_COSINE_BFLOAT16", 0.0)
    first, again = open_trained(path, "cpu", 4, forms), open_kept(path, 4, forms)
    assert again is not None
    assert np.array_equal(first.embed(CROPS), again.embed(CROPS))
