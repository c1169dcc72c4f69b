"""CLIP's transformer, its text encoder and its ViT image encoder.

CLIP-ReID (Li et al. 2023) uses learned vectors in place of words, so the text encoder takes token
ids or embeddings. The mask is causal: tokens after the end-of-text token have no effect, and a
prompt may be cut after it, which saves most of the computation. The image encoder has the two
options of CLIP-ReID: overlapping patches (OLP) have a stride below the patch size; camera
embeddings (SIE) are added to the class token.
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reid_model.networks.positional import check_pictures, grid_of

#: Tokens of a text in CLIP, including start and end.
CONTEXT = 77
#: Size of the tokenizer's vocabulary; the last two ids are the start and the end of a text.
VOCABULARY = 49408


class QuickGELU(nn.Module):
    """``x * sigmoid(1.702 x)``, the approximation with which OpenAI's weights were trained."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class SelfAttention(nn.Module):
    """Multi-head self-attention over tokens ``(B, N, D)``, optionally causal.

    The parameters have the names of ``nn.MultiheadAttention``.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} does not split into {heads} heads")
        self._split = (heads, width // heads)
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor, causal: bool) -> Tensor:
        projected = F.linear(x, self.in_proj_weight, self.in_proj_bias)  # (B, N, 3 D)
        split = projected.reshape(*x.shape[:2], 3, *self._split)  # (B, N, 3, heads, D / heads)
        query, key, value = split.permute(2, 0, 3, 1, 4).unbind(0)  # each (B, heads, N, D / heads)
        attended = F.scaled_dot_product_attention(query, key, value, is_causal=causal)
        merged: Tensor = self.out_proj(attended.transpose(1, 2).flatten(2))  # (B, N, D)
        return merged


class ResidualBlock(nn.Module):
    """Attention, then a two-layer perceptron, each pre-norm with a residual connection."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = SelfAttention(width, heads)
        self.ln_2 = nn.LayerNorm(width)
        parts: list[tuple[str, nn.Module]] = [
            ("c_fc", nn.Linear(width, 4 * width)),
            ("gelu", QuickGELU()),
            ("c_proj", nn.Linear(4 * width, width)),
        ]
        self.mlp = nn.Sequential(OrderedDict(parts))

    def forward(self, x: Tensor, causal: bool = False) -> Tensor:
        x = x + self.attn(self.ln_1(x), causal)  # (B, N, D)
        x = x + self.mlp(self.ln_2(x))  # (B, N, D)
        return x


class Transformer(nn.Module):
    """``layers`` blocks in sequence, on tokens ``(B, N, width)``; initialised as in CLIP.

    ``resblocks`` are the blocks, for intermediate outputs. Raises ValueError when the
    width does not split into the heads.
    """

    def __init__(self, width: int, layers: int, heads: int) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList([ResidualBlock(width, heads) for _ in range(layers)])
        output_std = width**-0.5 * (2 * layers) ** -0.5
        for name, parameter in self.named_parameters():
            if name.endswith("in_proj_weight"):
                nn.init.normal_(parameter, std=width**-0.5)
            elif name.endswith(("out_proj.weight", "c_proj.weight")):
                nn.init.normal_(parameter, std=output_std)
            elif name.endswith("c_fc.weight"):
                nn.init.normal_(parameter, std=(2 * width) ** -0.5)

    def forward(self, x: Tensor, causal: bool = False) -> Tensor:
        for block in self.resblocks:
            x = block(x, causal)
        return x


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


class ClipViT(nn.Module):
    """The ViT-B/16 image encoder; normalised RGB in, the class token at three points out.

    ``stride`` below ``patch`` lets patches overlap: 12 gives a grid of 21 x 10 where 16 gives 16 x
    8, at ``image_size`` (height, width) 256 x 128. ``cameras`` above 0 adds ``sie_coefficient``
    times a learned vector of the camera to the class token. Attributes: ``grid`` (rows, columns),
    ``width``, ``output_dim``.

    State-dict names are those of CLIP's ``visual`` tower; ``camera_embedding`` is not in CLIP's.
    The perceptrons use QuickGELU; weights trained with another GELU load but give wrong results.

    Raises ValueError when the width does not split into the heads, there are fewer than two
    layers, or no patch fits the image.
    """

    def __init__(
        self,
        width: int = 768,
        layers: int = 12,
        heads: int = 12,
        patch: int = 16,
        stride: int = 16,
        output_dim: int = 512,
        image_size: tuple[int, int] = (256, 128),
        cameras: int = 0,
        sie_coefficient: float = 1.0,
    ) -> None:
        super().__init__()
        if layers < 2:
            raise ValueError(f"layers must be at least 2, got {layers}")
        self.width, self.output_dim, self.image_size = width, output_dim, image_size
        self.sie_coefficient = sie_coefficient
        self.grid = grid_of(image_size, patch, stride)
        scale = width**-0.5
        self.conv1 = nn.Conv2d(3, width, patch, stride=stride, bias=False)
        self.class_embedding = nn.Parameter(scale * torch.randn(width))
        tokens = 1 + self.grid[0] * self.grid[1]
        self.positional_embedding = nn.Parameter(scale * torch.randn(tokens, width))
        self.ln_pre = nn.LayerNorm(width)
        self.transformer = Transformer(width, layers, heads)
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(scale * torch.randn(width, output_dim))
        self.camera_embedding: nn.Parameter | None = None
        if cameras:
            self.camera_embedding = nn.Parameter(torch.empty(cameras, width))
            nn.init.trunc_normal_(self.camera_embedding, std=0.02)

    def forward(
        self, x: Tensor, camera_index: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures ``(B, 3, 256, 128)`` to the class token at three points.

        After the block before the last, ``(B, width)``; after the last block and ``ln_post``,
        ``(B, width)``; and the latter projected, ``(B, output_dim)``. ``camera_index`` is ``(B,)``
        int64, each below ``cameras``; without it no camera embedding is added.

        Raises ValueError for pictures of another size, and for unknown cameras.
        """
        tokens = self._tokens(x, camera_index)  # (B, 129, 768)
        blocks = self.transformer.resblocks
        for block in blocks[:-1]:
            tokens = block(tokens)  # (B, 129, 768)
        last = tokens[:, 0]  # (B, 768)
        image = self.ln_post(blocks[-1](tokens)[:, 0])  # (B, 768)
        return last, image, image @ self.proj  # the projection: (B, 512)

    def _tokens(self, x: Tensor, camera_index: Tensor | None) -> Tensor:
        check_pictures(x, self.image_size)
        patches = self.conv1(x).flatten(2).transpose(1, 2)  # (B, 128, 768)
        first = self.class_embedding.expand(x.shape[0], 1, -1)  # (B, 1, 768)
        if camera_index is not None:
            first = first + self.sie_coefficient * self._cameras(camera_index, len(x))[:, None]
        tokens = torch.cat([first.to(patches.dtype), patches], dim=1)  # (B, 129, 768)
        normalised: Tensor = self.ln_pre(tokens + self.positional_embedding)
        return normalised

    def _cameras(self, index: Tensor, count: int) -> Tensor:
        """The embeddings ``(B, width)`` of cameras ``(B,)``."""
        if self.camera_embedding is None:
            raise ValueError("the encoder was built without cameras, but got a camera index")
        known = len(self.camera_embedding)
        if index.shape != (count,):
            raise ValueError(f"camera_index must be ({count},), got {tuple(index.shape)}")
        # On a GPU an index out of range ends the whole process.
        if count and not 0 <= int(index.min()) <= int(index.max()) < known:
            raise ValueError(f"camera_index must be within 0..{known - 1}, got {index.tolist()}")
        return self.camera_embedding[index]
