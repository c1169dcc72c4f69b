"""A fusion model in the node and in a search: the same vectors, and the right errors."""

import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.config.schema import ReidConfig
from pipeline.errors import UserError
from pipeline.reid.embedding import open_embedder, similarity_calibration
from pipeline.reid.words import open_text_encoder
from reid_model.networks.sentence_text import SentenceText
from reid_model.preprocess import normalise, resize_crops
from reid_model.query_encoder import QueryEncoder, words_of
from reid_model.similarity import SimilarityFit
from reid_model.trained_embedder import sample_pictures, trained_spec
from reid_model.trained_fusion import open_fusion
from reid_model.training.fusion_files import FusionFile, WordsFit, load_fusion, save_fusion
from reid_model.training.model_files import save_model
from reid_model.training.recipe import ModelRecipe
from reid_model.weights_header import is_fusion
from tests.fusion_toys import SMALL, toy_fusion

RECIPE = ModelRecipe(
    encoder="omni-scale",
    width=16,
    output_dim=16,
    image_size=(64, 32),
    mscsa_modules=0,
    embedding="projected",
    texts=False,
    text_guidance=False,
)
WORDS = WordsFit(10.0, 0.3, ("jacket", "red"))
FIT = SimilarityFit(slope=9.0, midpoint=0.5, common=0.1, spread=0.1, visit=0.2, crop=0.3)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("model") / "toy.safetensors"
    file = FusionFile(toy_fusion(trained=True), RECIPE, WORDS, FIT)
    save_fusion(found, file, torch.float32)
    return found


def crops(count: int = 5) -> list[np.ndarray]:
    return [picture[: 60 + number] for number, picture in enumerate(sample_pictures(count, 80, 40))]


def test_a_file_holds_all_of_the_model(path: Path) -> None:
    file = load_fusion(path)
    assert (file.recipe, file.words, file.similarity) == (RECIPE, WORDS, FIT)
    assert file.model.options == SMALL
    for name, value in toy_fusion(trained=True).state_dict().items():
        assert torch.equal(file.model.state_dict()[name], value), name


def test_other_files_are_told_apart(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "fused.safetensors"
    save_model(other, toy_fusion().fused, RECIPE)
    assert is_fusion(path)
    assert not is_fusion(other)
    assert not is_fusion(tmp_path / "none.safetensors")
    with pytest.raises(ValueError, match="not a model of FusionSegReID"):
        load_fusion(other)


@torch.no_grad()
def test_openvino_gives_all_three_outputs(path: Path) -> None:
    embedder = open_fusion(path, "cpu", batch=4)
    found = embedder.describe(crops())
    pixels = normalise(resize_crops(crops(), 64, 32), trained_spec(RECIPE))
    vectors, text_vectors, visible = load_fusion(path).model(torch.from_numpy(pixels))
    assert embedder.has_words
    assert embedder.dimension == 16
    assert found.text_vectors is not None
    assert found.visibilities is not None
    assert (found.vectors * vectors.numpy()).sum(axis=1).min() > 0.99
    assert (found.text_vectors * text_vectors.numpy()).sum(axis=1).min() > 0.99
    np.testing.assert_allclose(found.visibilities, visible.numpy(), atol=0.02)
    assert np.array_equal(embedder.embed(crops()), found.vectors)
    assert embedder.describe([]).vectors.shape == (0, 16)


def test_a_site_opens_it_by_its_path(path: Path) -> None:
    config = ReidConfig(model=str(path), batch=2)
    assert open_embedder(config, "cpu").has_words
    assert similarity_calibration(config).slope == asdict(FIT)["slope"]


def encoder(monkeypatch: pytest.MonkeyPatch) -> QueryEncoder:
    """Words are numbered by their length; the text encoder is random."""
    monkeypatch.setattr(
        "reid_model.query_encoder.sentence_tokens",
        lambda _, texts: torch.nn.utils.rnn.pad_sequence(
            [torch.tensor([len(word) for word in one.split()]) for one in texts], batch_first=True
        ),
    )
    torch.manual_seed(2)
    text = SentenceText(5, width=12, layers=1, heads=2, context=12, vocabulary=20).eval()
    model = toy_fusion(trained=True)
    return QueryEncoder(model, trained_spec(RECIPE), text, Path("tokenizer.json"), WORDS)


def test_queries_are_unit_vectors_of_their_own_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    words = encoder(monkeypatch)
    found = words.encode_text(["a red jacket", "blue"])
    assert found.shape == (2, 8)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(words.encode_text(["blue"])[0], found[1], atol=1e-5)
    assert words.encode_text([]).shape == (0, 8)
    both = words.encode_both(crops(2), ["a red jacket", "blue"])
    assert both.shape == (2, 16)
    other = words.encode_both(crops(2), ["a red jacket", "dark green"])
    assert np.abs(both[0] - other[0]).max() < 1e-4
    assert np.abs(both[1] - other[1]).max() > 1e-4
    assert words.encode_both([], []).shape == (0, 16)
    with pytest.raises(ValueError, match="a sentence for each crop"):
        words.encode_both(crops(2), ["blue"])


def test_probabilities_and_unknown_words(monkeypatch: pytest.MonkeyPatch) -> None:
    words = encoder(monkeypatch)
    assert words.probability(0.3) == 0.5
    assert words.probability(0.4) == pytest.approx(1 / (1 + math.exp(-1)))
    assert words.probability(-1e9) > 0
    assert words.unknown_words("A Red, zebra-striped jacket") == ["a", "zebra-striped"]
    assert words_of(["Red jacket.", "a jacket"]) == ("a", "jacket", "red")


def test_a_network_without_words_is_named(tmp_path: Path) -> None:
    other = tmp_path / "fused.safetensors"
    save_model(other, toy_fusion().fused, RECIPE)
    with pytest.raises(UserError, match="knows no words"):
        open_text_encoder(str(other))
