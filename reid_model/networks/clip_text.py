"""CLIP's text encoder.

CLIP-ReID (Li et al. 2023) uses learned vectors in place of words, so it takes token ids or
embeddings. The mask is causal: tokens after the end-of-text token have no effect, and a prompt may
be cut after it, which saves most of the computation.
"""

import torch
from torch import Tensor, nn

from reid_model.networks.clip_transformer import Transformer

#: Tokens of a text in CLIP, including start and end.
CONTEXT = 77
#: Size of the tokenizer's vocabulary; the last two ids are the start and the end of a text.
VOCABULARY = 49408


class ClipText(nn.Module):
    """The text encoder: ids or embeddings in, one vector per text out.

    ``output_dim`` is that of the image encoder: 1024 for RN50, 512 for ViT-B/16.
    Parameters with 1024: 38,393,344, and 25,296,896 in ``token_embedding``. ``context`` is the
    longest text in tokens. State-dict names are those of CLIP's; the perceptrons use QuickGELU.
    ``ClipText(**text.sizes)`` builds an encoder of the same sizes.

    Raises ValueError when the width does not split into the heads.
    """

    def __init__(
        self,
        output_dim: int = 1024,
        width: int = 512,
        layers: int = 12,
        heads: int = 8,
        context: int = CONTEXT,
        vocabulary: int = VOCABULARY,
    ) -> None:
        super().__init__()
        self.context, self.width, self.output_dim = context, width, output_dim
        self.sizes = {
            "output_dim": output_dim,
            "width": width,
            "layers": layers,
            "heads": heads,
            "context": context,
            "vocabulary": vocabulary,
        }
        self.token_embedding = nn.Embedding(vocabulary, width)
        self.positional_embedding = nn.Parameter(0.01 * torch.randn(context, width))
        self.transformer = Transformer(width, layers, heads)
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(width**-0.5 * torch.randn(width, output_dim))
        nn.init.normal_(self.token_embedding.weight, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """Token ids ``(B, L)`` int64, of `tokenize`, to texts ``(B, output_dim)``.

        Raises ValueError when L is above ``context``.
        """
        return self.encode(self.token_embedding(tokens), end_positions(tokens))

    def encode(self, embeddings: Tensor, ends: Tensor) -> Tensor:
        """Token embeddings ``(B, L, width)``, without positions, to texts ``(B, output_dim)``.

        ``ends`` ``(B,)`` int64 are the positions of the end-of-text tokens, where the output is
        read. The texts are not normalised. Raises ValueError when L is above ``context``.
        """
        length = embeddings.shape[1]
        if length > self.context:
            raise ValueError(f"a text must have at most {self.context} tokens, got {length}")
        states = embeddings + self.positional_embedding[:length]  # (B, L, 512)
        states = self.transformer(states, causal=True)  # (B, L, 512)
        rows = torch.arange(len(states), device=states.device)
        ended: Tensor = self.ln_final(states[rows, ends])  # (B, 512)
        return ended @ self.text_projection  # (B, 1024)


def end_positions(tokens: Tensor) -> Tensor:
    """The position of the end-of-text token in each row of ids ``(B, L)``: ``(B,)`` int64.

    It has the highest id; its first occurrence counts.
    """
    return tokens.argmax(dim=1)
