"""The open text encoder: small ones made here, and the real one against a reference."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from pipeline.errors import UserError
from pipeline.weights import weights_files
from reid_model.networks.prompts import TEMPLATE, PromptLearner
from reid_model.networks.sentence_text import (
    SENTENCE_PROMPT,
    SentenceText,
    read_sentence_text,
    sentence_tokens,
)

SENTENCES = (
    "A woman with long hair wears a white dress.",
    "The lady has black hair and a sleeveless white dress; she carries a stool.",
    "A man in a blue jacket pushes a bicycle.",
)


def small() -> SentenceText:
    torch.manual_seed(0)
    return SentenceText(5, width=8, layers=2, heads=2, context=12, vocabulary=20).eval()


@torch.no_grad()
def test_padding_changes_nothing() -> None:
    text = small()
    tokens = torch.tensor([[3, 9, 4, 0, 0], [3, 7, 8, 9, 4]])
    found = text(tokens)
    assert found.shape == (2, 5)
    torch.testing.assert_close(found[:1], text(tokens[:1, :3]))
    assert (found[0] - text(torch.tensor([[3, 7, 4]]))).abs().max() > 1e-3


@torch.no_grad()
def test_ids_and_their_embeddings_are_the_same_text() -> None:
    text, tokens = small(), torch.tensor([[3, 9, 4, 0, 0], [3, 7, 8, 9, 4]])
    found = text.encode(text.token_embedding(tokens), torch.tensor([2, 4]))
    torch.testing.assert_close(found, text(tokens))
    torch.testing.assert_close(found, text.sentences(tokens) @ text.text_projection)


def test_prompts_learn_through_it() -> None:
    text = SentenceText(5, width=8, layers=1, heads=2, context=80, vocabulary=6303).eval()
    learner = PromptLearner(text.token_embedding.weight, 3, SENTENCE_PROMPT)
    embeddings, ends = learner(torch.tensor([0, 2]))
    text.encode(embeddings[:, : int(ends.max()) + 1], ends).square().sum().backward()
    assert (learner.context.grad.abs().amax(dim=(1, 2)) > 0).tolist() == [True, False, True]


def renamed(text: SentenceText) -> dict[str, Tensor]:
    """The weights under BERT's names."""
    own = text.state_dict()
    theirs = {
        "embeddings.word_embeddings.weight": own["token_embedding.weight"],
        "embeddings.position_embeddings.weight": own["positional_embedding"] - 1,
        "embeddings.token_type_embeddings.weight": torch.ones(2, 384),
    }
    for kind in ("weight", "bias"):
        theirs[f"embeddings.LayerNorm.{kind}"] = own[f"ln_first.{kind}"]
        for layer in range(6):
            ours, name = f"transformer.layers.{layer}", f"encoder.layer.{layer}"
            parts = own[f"{ours}.self_attn.in_proj_{kind}"].chunk(3)
            for part, value in zip(("query", "key", "value"), parts, strict=True):
                theirs[f"{name}.attention.self.{part}.{kind}"] = value.clone()
            for here, there in (
                ("self_attn.out_proj", "attention.output.dense"),
                ("norm1", "attention.output.LayerNorm"),
                ("linear1", "intermediate.dense"),
                ("linear2", "output.dense"),
                ("norm2", "output.LayerNorm"),
            ):
                theirs[f"{name}.{there}.{kind}"] = own[f"{ours}.{here}.{kind}"]
    return theirs


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    text = SentenceText(3)
    save_file(renamed(text), path)
    found = read_sentence_text(path, 4)
    assert not found.training
    assert found.text_projection.shape == (384, 4)
    for name, value in found.state_dict().items():
        if name != "text_projection":
            torch.testing.assert_close(value, text.state_dict()[name])
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match="does not hold the weights"):
        read_sentence_text(path, 4)
    path.write_text("words")
    with pytest.raises(ValueError, match="not a safetensors file"):
        read_sentence_text(path, 4)
    with pytest.raises(ValueError, match="missing"):
        read_sentence_text(tmp_path / "gone.safetensors", 4)


@pytest.fixture(scope="module")
def real() -> list[Path]:
    try:
        return weights_files("all-minilm-l6-v2")
    except UserError:
        pytest.skip("the weights all-minilm-l6-v2 are not in the cache")


def test_the_real_one_says_what_its_reference_says(real: list[Path]) -> None:
    """The numbers are those of transformers 4.57.1 (BertModel, mean of the tokens), in float32."""
    pytest.importorskip("tokenizers")
    weights, tokenizer = real
    with torch.inference_mode():
        found = read_sentence_text(weights, 4).sentences(sentence_tokens(tokenizer, SENTENCES))
    vectors = F.normalize(found, dim=1)
    expected = torch.tensor(
        [
            [0.0362, 0.0258, 0.0499, -0.0016],
            [-0.0197, -0.0144, -0.0060, 0.0761],
            [-0.0183, 0.0710, 0.0089, 0.0226],
        ]
    )
    torch.testing.assert_close(vectors[:, :4], expected, rtol=0, atol=1e-4)
    cosines = vectors @ vectors.T
    assert cosines[0, 1] > 0.5 > 0.1 > cosines[0, 2]


def test_tokens(real: list[Path]) -> None:
    pytest.importorskip("tokenizers")
    tokens = sentence_tokens(real[1], [TEMPLATE, "many words " * 100])
    assert tokens.shape == (2, 128)
    assert tuple(tokens[0, : len(SENTENCE_PROMPT)].tolist()) == SENTENCE_PROMPT
    assert tokens[0, len(SENTENCE_PROMPT) :].sum() == 0


@torch.no_grad()
def test_the_mean_of_the_words_is_the_sentence() -> None:
    text, tokens = small(), torch.tensor([[3, 9, 4, 0, 0], [3, 7, 8, 9, 4]])
    states, present = text.words(tokens)
    assert present.tolist() == [[True] * 3 + [False] * 2, [True] * 5]
    torch.testing.assert_close(states[0, :3].mean(dim=0), text.sentences(tokens)[0])
