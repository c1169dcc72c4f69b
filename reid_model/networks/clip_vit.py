"""CLIP's ViT image encoder, as in CLIP-ReID (Li et al. 2023), with its two options.

Overlapping patches (OLP) have a stride below the patch size; camera embeddings (SIE) are added to
the class token.
"""

import torch
from torch import Tensor, nn

from reid_model.networks.clip_transformer import Transformer
from reid_model.networks.positional import check_pictures, grid_of


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
