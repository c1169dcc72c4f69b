"""Learned prompts, one for each training identity (CLIP-ReID, Li et al. 2023).

A prompt is "A photo of a [X][X][X][X] person." as 77 token embeddings. The four X are learned for
each identity; the others are the text encoder's.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from reid_model.networks.clip_transformer import CONTEXT

#: The prompt and its CLIP tokens, from start to end of text.
TEMPLATE = "A photo of a X X X X person."
TEMPLATE_TOKENS = (49406, 320, 1125, 539, 320, 343, 343, 343, 343, 2533, 269, 49407)

_FIRST, _COUNT = 5, 4  # the four X are tokens 5 to 8


class PromptLearner(nn.Module):
    """The prompts of ``classes`` identities; only ``context (classes, 4, width)`` is learned.

    ``token_embedding`` is the text encoder's table ``(vocabulary, width)``; only the rows of
    ``tokens`` are copied, which are the prompt in its vocabulary, with the X at 5 to 8.
    Raises ValueError when the table is too small for them, or without classes.
    """

    prefix: Tensor
    suffix: Tensor

    def __init__(
        self, token_embedding: Tensor, classes: int, tokens: Sequence[int] = TEMPLATE_TOKENS
    ) -> None:
        super().__init__()
        if token_embedding.ndim != 2 or len(token_embedding) <= max(tokens):
            raise ValueError(
                f"the token embedding must be (vocabulary, width), with at least {max(tokens) + 1} "
                f"rows, got {tuple(token_embedding.shape)}"
            )
        if classes < 1:
            raise ValueError(f"classes must be at least 1, got {classes}")
        self._end = len(tokens) - 1
        padded = torch.zeros(1, CONTEXT, dtype=torch.long)
        padded[0, : len(tokens)] = torch.tensor(tokens)
        fixed = token_embedding.detach().float()[padded.to(token_embedding.device)]
        self.register_buffer("prefix", fixed[:, :_FIRST].clone())  # (1, 5, width)
        self.register_buffer("suffix", fixed[:, _FIRST + _COUNT :].clone())  # (1, 68, width)
        self.context = nn.Parameter(torch.empty(classes, _COUNT, fixed.shape[2]))
        nn.init.normal_(self.context, std=0.02)

    def forward(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The prompts of class indices ``(n,)`` int64: ``(n, 77, width)`` and end positions.

        The text encoder reads its output at the end positions ``(n,)`` int64, and adds the
        positional embedding.
        """
        count = len(labels)
        prompts = torch.cat(
            [
                self.prefix.expand(count, -1, -1),  # (n, 5, width)
                self.context[labels],  # (n, 4, width)
                self.suffix.expand(count, -1, -1),  # (n, 68, width)
            ],
            dim=1,
        )
        return prompts, torch.full_like(labels, self._end)
