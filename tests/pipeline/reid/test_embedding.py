"""From the name of a ReID model to an embedder."""

import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pipeline.config.schema import ReidConfig
from pipeline.errors import UserError
from pipeline.reid.embedding import (
    default_calibration,
    model_hash,
    open_embedder,
    similarity_calibration,
)
from reid_model.similarity import SimilarityFit
from reid_model.training.build import build_encoder, new_model
from reid_model.training.model_files import save_model
from reid_toys import toy_model, write_mean_network
from trackers.association.appearance import Calibration

BESIDE = "input: {height: 2, width: 2, colour: bgr, scale: 1, mean: [0, 0, 0], std: [1, 1, 1]}\n"


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = write_mean_network(tmp_path / "own.xml")
    config = ReidConfig(model=str(path))
    with pytest.raises(UserError, match=r"write own\.xml\.yaml beside it"):
        open_embedder(config, "cpu")
    (tmp_path / "own.xml.yaml").write_text(BESIDE + "similarity: {slope: 3, midpoint: 0.25}")
    red = np.full((3, 3, 3), (0, 0, 200), np.uint8)
    np.testing.assert_allclose(open_embedder(config, "cpu").embed([red]), [(0, 0, 1)], atol=1e-3)
    assert similarity_calibration(config) == replace(
        default_calibration(), slope=3.0, midpoint=0.25, fitted=True
    )


def test_a_file_that_is_no_network_is_named(tmp_path: Path) -> None:
    path = tmp_path / "own.onnx"
    path.write_text("words")
    (tmp_path / "own.onnx.yaml").write_text(BESIDE)
    with pytest.raises(UserError, match=r"own\.onnx cannot be read"):
        open_embedder(ReidConfig(model=str(path)), "cpu")


def test_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FUSETRACK_CACHE", str(tmp_path))
    monkeypatch.delenv("FUSETRACK_WEIGHTS", raising=False)
    with pytest.raises(UserError, match="Did you mean 'omni-scale-open'"):
        open_embedder(ReidConfig(model="omniscale-open"), "cpu")
    with pytest.raises(UserError, match="unknown ReID model 'yolo26n'"):
        open_embedder(ReidConfig(model="yolo26n"), "cpu")
    absent = ReidConfig(model="osnet-x0.25-msmt17")
    with pytest.raises(UserError, match=r"weights pull osnet-x0\.25-msmt17"):
        open_embedder(absent, "cpu")
    # The weights are not needed to know what their cosines are worth.
    assert 0 < similarity_calibration(absent).common < 1


def test_of_the_default_it_is_known_what_its_cosines_are_worth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FUSETRACK_CACHE", str(tmp_path))
    found = similarity_calibration(ReidConfig())
    assert 0 < found.midpoint < 1
    assert 0 < found.common < 1


@pytest.mark.skipif("FUSETRACK_DATA" not in os.environ, reason="FUSETRACK_DATA is not set")
def test_the_default_recognises_real_people() -> None:
    """Rank-1 over cameras of CUHK03's first 30 validation identities; chance is 0.03."""
    files = sorted((Path(os.environ["FUSETRACK_DATA"]) / "reid/cuhk03/val").glob("*.webp"))
    names = sorted({file.name[:4] for file in files})[:30]
    # Of ten pictures of each, two of either camera.
    files = [f for f in files if f.name[:4] in names and 3 <= int(f.name[5:7]) <= 6]
    people = np.array([file.name[:4] for file in files])
    query = np.array([int(file.name[5:7]) < 5 for file in files])
    crops = [cv2.imread(str(file)) for file in files]
    vectors = open_embedder(ReidConfig(), "cpu").embed(crops)
    right = _rank1(vectors, query, people)
    swapped = open_embedder(ReidConfig(), "cpu").embed([crop[:, :, ::-1] for crop in crops])
    assert right >= 0.85
    # With the colours in the wrong order it is clearly lower.
    assert _rank1(swapped, query, people) < right - 0.02


def _rank1(
    vectors: NDArray[np.float32], query: NDArray[np.bool_], people: NDArray[np.str_]
) -> float:
    """The share of queries whose nearest picture in the gallery shows the same person."""
    best = (vectors[query] @ vectors[~query].T).argmax(axis=1)
    return float((people[~query][best] == people[query]).mean())


def test_a_trained_model_needs_no_description(tmp_path: Path) -> None:
    torch.manual_seed(1)
    recipe = toy_model()
    path = tmp_path / "model.safetensors"
    save_model(path, new_model(recipe, 6, build_encoder(recipe)).deploy(), recipe)
    config = ReidConfig(model=str(path))
    vectors = open_embedder(config, "cpu").embed([np.full((9, 5, 3), 90, np.uint8)])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert similarity_calibration(config) == default_calibration()
    fit = SimilarityFit(12.0, 0.4, 0.25, 0.1, 0.3, 0.5)
    save_model(path, new_model(recipe, 6, build_encoder(recipe)).deploy(), recipe, fit)
    assert similarity_calibration(config) == Calibration(12.0, 0.4, 0.25, 0.1, 0.3, 0.5)
    path.write_bytes(b"nothing")
    with pytest.raises(UserError, match="is damaged or not a safetensors file"):
        similarity_calibration(config)


class _Payload:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("unpickled",)


@pytest.mark.parametrize("name", ["evil.safetensors", "evil.onnx", "evil.xml", "evil.pt"])
def test_a_pickle_with_code_is_refused_whatever_its_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"weights": _Payload()}, tmp_path / name)
    (tmp_path / f"{name}.yaml").write_text(BESIDE)
    with pytest.raises(UserError, match=name):
        open_embedder(ReidConfig(model=str(tmp_path / name)), "cpu")
    assert not (tmp_path / "unpickled").exists()


@pytest.mark.parametrize("left", [0, 7, 100, -1])
def test_a_truncated_trained_model_is_refused(left: int, tmp_path: Path) -> None:
    recipe = toy_model()
    path = tmp_path / "model.safetensors"
    save_model(path, new_model(recipe, 6, build_encoder(recipe)).deploy(), recipe)
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(UserError, match="is damaged or not a safetensors file"):
        open_embedder(ReidConfig(model=str(path)), "cpu")


def test_a_network_is_known_by_its_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, copy = tmp_path / "own.xml", tmp_path / "copy.xml"
    for path, weights in ((own, b"one"), (copy, b"one")):
        path.write_text(f"<net name='{path.stem}'/>")
        path.with_suffix(".bin").write_bytes(weights)
    assert model_hash(str(own)) == model_hash(str(copy))
    own.with_suffix(".bin").write_bytes(b"other")
    assert model_hash(str(own)) != model_hash(str(copy))
    own.with_suffix(".bin").unlink()
    assert model_hash(str(own)) != model_hash(str(copy))
    monkeypatch.setenv("FUSETRACK_CACHE", str(tmp_path))
    # Of a name, the manifest knows it, and the weights need not be there.
    names = ("osnet-x0.25-msmt17", ReidConfig().model)
    assert len({model_hash(name) for name in names}) == 2
    assert all(len(model_hash(name)) == 16 for name in names)
