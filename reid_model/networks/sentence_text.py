"""all-MiniLM-L6-v2, an open text encoder: it stands in where CLIP's weights are not at hand.

Reimers and Gurevych 2019, "Sentence-BERT", on MiniLM (Wang et al. 2020): six layers of BERT, and
the mean of their outputs. `fusetrack weights pull all-minilm-l6-v2` brings its weights. It was
never shown a picture, so a linear map to the space of an image encoder belongs to it, which
`reid_model.training.captions` learns.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

#: "a photo of a x x x x person.", from start to end of text.
SENTENCE_PROMPT = (101, 1037, 6302, 1997, 1037, 1060, 1060, 1060, 1060, 2711, 1012, 102)
#: Where a text is longer, its end is left out.
_LONGEST = 128
_PADDING = 0


class SentenceText(nn.Module):
    """The text encoder: ids or embeddings in, one vector per text out.

    22,564,608 parameters without ``text_projection`` ``(384, output_dim)``, which is random when
    new. The interface is that of `ClipText`.
    """

    def __init__(
        self,
        output_dim: int,
        width: int = 384,
        layers: int = 6,
        heads: int = 12,
        context: int = 512,
        vocabulary: int = 30522,
    ) -> None:
        super().__init__()
        self.output_dim = output_dim
        self.token_embedding = nn.Embedding(vocabulary, width)
        self.positional_embedding = nn.Parameter(0.02 * torch.randn(context, width))
        self.ln_first = nn.LayerNorm(width, eps=1e-12)
        layer = nn.TransformerEncoderLayer(
            width,
            heads,
            4 * width,
            dropout=0.0,
            activation="gelu",
            layer_norm_eps=1e-12,
            batch_first=True,
        )
        self.transformer = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.text_projection = nn.Parameter(width**-0.5 * torch.randn(width, output_dim))

    def forward(self, tokens: Tensor) -> Tensor:
        """Token ids ``(B, L)`` int64, of `sentence_tokens`, to texts ``(B, output_dim)``."""
        return self.sentences(tokens) @ self.text_projection

    def sentences(self, tokens: Tensor) -> Tensor:
        """Token ids ``(B, L)`` to what the network says of them, before the map: ``(B, 384)``."""
        return self._sentences(self.token_embedding(tokens), (tokens != _PADDING).sum(dim=1) - 1)

    def encode(self, embeddings: Tensor, ends: Tensor) -> Tensor:
        """Token embeddings ``(B, L, 384)``, without positions, to texts ``(B, output_dim)``.

        ``ends`` ``(B,)`` int64 are the positions of the last tokens. The texts are not normalised.
        """
        return self._sentences(embeddings, ends) @ self.text_projection

    def words(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Token ids ``(B, L)`` to what the network says of each, ``(B, L, 384)``, and which of them
        are there, ``(B, L)`` bool."""
        present = tokens != _PADDING
        return self._states(self.token_embedding(tokens), ~present), present

    def _sentences(self, embeddings: Tensor, ends: Tensor) -> Tensor:
        padding = torch.arange(embeddings.shape[1], device=ends.device) > ends[:, None]  # (B, L)
        states, kept = self._states(embeddings, padding), ~padding.unsqueeze(2)
        mean: Tensor = (states * kept).sum(dim=1) / kept.sum(dim=1)
        return mean

    def _states(self, embeddings: Tensor, padding: Tensor) -> Tensor:
        positions = self.positional_embedding[: embeddings.shape[1]]
        states = self.ln_first(embeddings + positions)  # (B, L, 384)
        out: Tensor = self.transformer(states, src_key_padding_mask=padding)
        return out


def read_sentence_text(path: Path, output_dim: int) -> SentenceText:
    """The network of a ``model.safetensors``, in eval mode; its map is random.

    Raises ValueError when the file is missing, damaged or of another network.
    """
    try:
        theirs = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} is missing or not a safetensors file") from error
    text = SentenceText(output_dim)
    try:
        text.load_state_dict({"text_projection": text.text_projection, **dict(_renamed(theirs))})
    except (KeyError, RuntimeError) as error:
        raise ValueError(f"{path} does not hold the weights of all-MiniLM-L6-v2") from error
    return text.eval()


def sentence_tokens(tokenizer: Path, texts: Sequence[str]) -> Tensor:
    """Token ids ``(B, L)`` int64 by a ``tokenizer.json``: start, words, end, zeros.

    A text of more than 128 tokens is cut. Raises ValueError when ``tokenizers`` is not installed.
    """
    found = _tokenizer(tokenizer).encode_batch(list(texts))
    return torch.tensor([one.ids for one in found], dtype=torch.int64)


@cache
def _tokenizer(path: Path) -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise ValueError(
            "tokenizing texts needs tokenizers, which is not installed: install fusetrack[train]"
        ) from error
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.enable_truncation(_LONGEST)
    tokenizer.enable_padding()
    return tokenizer


def _renamed(theirs: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Their weights under our names."""
    yield "token_embedding.weight", theirs["embeddings.word_embeddings.weight"]
    # There is one sentence only, so its type is part of every position.
    types = theirs["embeddings.token_type_embeddings.weight"]
    yield "positional_embedding", theirs["embeddings.position_embeddings.weight"] + types[0]
    for kind in ("weight", "bias"):
        yield f"ln_first.{kind}", theirs[f"embeddings.LayerNorm.{kind}"]
        for layer in range(sum(name.endswith("query.weight") for name in theirs)):
            yield from _layer(theirs, f"encoder.layer.{layer}", f"transformer.layers.{layer}", kind)


def _layer(
    theirs: dict[str, Tensor], name: str, ours: str, kind: str
) -> Iterator[tuple[str, Tensor]]:
    projections = [f"{name}.attention.self.{part}.{kind}" for part in ("query", "key", "value")]
    yield f"{ours}.self_attn.in_proj_{kind}", torch.cat([theirs[one] for one in projections])
    for own, their in (
        ("self_attn.out_proj", "attention.output.dense"),
        ("norm1", "attention.output.LayerNorm"),
        ("linear1", "intermediate.dense"),
        ("linear2", "output.dense"),
        ("norm2", "output.LayerNorm"),
    ):
        yield f"{ours}.{own}.{kind}", theirs[f"{name}.{their}.{kind}"]
