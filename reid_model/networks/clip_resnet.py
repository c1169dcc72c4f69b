"""CLIP's ResNet image encoder, as in CLIP-ReID (Li et al. 2023): a finer map, and all tokens.

It differs from CLIP's own in two ways that keep all weights usable: the last stage keeps its
resolution (all striding is done by average pools, which have no weights), and the attention pool
returns all tokens instead of the first.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reid_model.networks.positional import check_pictures, grid_of

#: Input pixels per side of a token: the stem's 4, and 2 for each of layer2 and layer3.
_REDUCTION = 16
_HEAD_WIDTH = 64
_EXPANSION = 4


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions with a shortcut; an average pool does the striding.

    ``(B, inputs, H, W)`` to ``(B, 4 * planes, H / stride, W / stride)``.
    """

    def __init__(self, inputs: int, planes: int, stride: int = 1) -> None:
        super().__init__()
        outputs = planes * _EXPANSION
        self.conv1 = nn.Conv2d(inputs, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.pool = nn.AvgPool2d(stride) if stride > 1 else nn.Identity()
        self.downsample = nn.Sequential()
        if stride > 1 or inputs != outputs:
            self.downsample.append(nn.Conv2d(inputs, outputs, 1, bias=False))
            self.downsample.append(nn.BatchNorm2d(outputs))
        # Training starts with the shortcuts only, as in CLIP.
        nn.init.zeros_(self.bn3.weight)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)  # (B, planes, H, W)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)  # (B, planes, H, W)
        y = self.bn3(self.conv3(self.pool(y)))  # (B, 4 * planes, H / stride, W / stride)
        return F.relu(y + self.downsample(self.pool(x)), inplace=True)


class AttentionPool(nn.Module):
    """Self-attention over the positions of a map and their mean; all tokens are kept.

    ``(B, D, H, W)`` to ``(B, 1 + H * W, output_dim)``: token 0 is the mean, the others are the
    positions row by row.
    """

    def __init__(self, grid: tuple[int, int], dim: int, heads: int, output_dim: int) -> None:
        super().__init__()
        tokens = 1 + grid[0] * grid[1]
        self.heads = heads
        self.positional_embedding = nn.Parameter(torch.randn(tokens, dim) / dim**0.5)
        self.q_proj = nn.Linear(dim, dim)
        self.k_proj = nn.Linear(dim, dim)
        self.v_proj = nn.Linear(dim, dim)
        self.c_proj = nn.Linear(dim, output_dim)
        for projection in (self.q_proj, self.k_proj, self.v_proj, self.c_proj):
            nn.init.normal_(projection.weight, std=dim**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self._tokens(x)
        return self._attend(tokens, tokens)

    def mean_token(self, x: Tensor) -> Tensor:
        """Only token 0 of the output, ``(B, output_dim)``, with less computation.

        One query needs neither the keys nor the values of every token: q (K t) is (q K) t, the sum
        of a V t is V times the sum of a t, and the keys' bias is the same for all tokens.
        """
        tokens = self._tokens(x)  # (B, N, D)
        query = self.q_proj(tokens[:, 0])  # (B, D)
        query = self._split(query[:, None])[:, :, 0].transpose(0, 1)  # (heads, B, D / heads)
        keyed = query @ self._by_head(self.k_proj)  # (heads, B, D)
        scores = keyed.transpose(0, 1) @ tokens.transpose(1, 2) * query.shape[2] ** -0.5
        attention = F.softmax(scores, dim=2)  # (B, heads, N)
        attended = (attention @ tokens).transpose(0, 1)  # (heads, B, D)
        values = attended @ self._by_head(self.v_proj).transpose(1, 2)  # (heads, B, D / heads)
        merged: Tensor = self.c_proj(values.transpose(0, 1).flatten(1) + self.v_proj.bias)
        return merged

    def _by_head(self, projection: nn.Linear) -> Tensor:
        """The weight of a projection by head: ``(heads, D / heads, D)``."""
        weight = projection.weight
        return weight.reshape(self.heads, -1, weight.shape[1])

    def _tokens(self, x: Tensor) -> Tensor:
        """The mean and the positions, with positional embeddings: ``(B, N, D)``, N = 1 + H * W."""
        positions = x.flatten(2).transpose(1, 2)  # (B, H * W, D)
        tokens = torch.cat([positions.mean(dim=1, keepdim=True), positions], dim=1)  # (B, N, D)
        return tokens + self.positional_embedding

    def _attend(self, queries: Tensor, tokens: Tensor) -> Tensor:
        """Attention of queries ``(B, Q, D)`` to tokens ``(B, N, D)``: ``(B, Q, output_dim)``."""
        attended = F.scaled_dot_product_attention(
            self._split(self.q_proj(queries)),
            self._split(self.k_proj(tokens)),
            self._split(self.v_proj(tokens)),
        )  # (B, heads, Q, D / heads)
        merged: Tensor = self.c_proj(attended.transpose(1, 2).flatten(2))  # (B, Q, output_dim)
        return merged

    def _split(self, x: Tensor) -> Tensor:
        """``(B, N, D)`` to ``(B, heads, N, D / heads)``."""
        return x.reshape(*x.shape[:2], self.heads, x.shape[2] // self.heads).transpose(1, 2)


class ClipResNet(nn.Module):
    """The RN50 image encoder or a narrower one; normalised RGB in, two maps and tokens out.

    ``width`` is the stem's output: the stages have 4, 8, 16 and 32 times as many channels, and
    ``32 * width`` splits into heads of 64. ``layers`` are the bottlenecks of the four stages.
    ``image_size`` is height and width in pixels, multiples of 16. Attributes: ``grid`` (rows and
    columns of the last map, 16 x 8 for 256 x 128), ``width``, ``output_dim``, ``channels`` of the
    stem and the four stages, and ``strides`` of the stages.

    Parameters at 256 x 128: 38,478,688 by default, which is CLIP's RN50 (the attention pool has
    14,951,424 of them); 10,225,840 with width 32, or 9,701,040 with output_dim 512 as well;
    5,585,780 with width 24 and output_dim 512.

    State-dict names are those of CLIP's ``visual`` tower.

    Raises ValueError for an odd width or an image size that is not a multiple of 16.
    """

    strides = (1, 2, 2, 1)

    def __init__(
        self,
        width: int = 64,
        layers: tuple[int, int, int, int] = (3, 4, 6, 3),
        output_dim: int = 1024,
        image_size: tuple[int, int] = (256, 128),
    ) -> None:
        super().__init__()
        _check(width, image_size)
        self.width, self.output_dim, self.image_size = width, output_dim, image_size
        self.channels = (width, 4 * width, 8 * width, 16 * width, 32 * width)
        self.grid = grid_of(image_size, _REDUCTION, _REDUCTION)
        self.conv1 = nn.Conv2d(3, width // 2, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width // 2)
        self.conv2 = nn.Conv2d(width // 2, width // 2, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width // 2)
        self.conv3 = nn.Conv2d(width // 2, width, 3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)
        self.layer1 = _stage(width, width, layers[0], stride=1)
        self.layer2 = _stage(4 * width, 2 * width, layers[1], stride=2)
        self.layer3 = _stage(8 * width, 4 * width, layers[2], stride=2)
        # CLIP's own strides by 2 here.
        self.layer4 = _stage(16 * width, 8 * width, layers[3], stride=1)
        dim = 32 * width
        self.attnpool = AttentionPool(self.grid, dim, dim // _HEAD_WIDTH, output_dim)

    def stem(self, x: Tensor) -> Tensor:
        """Pictures ``(B, 3, 256, 128)`` to the first map x0 ``(B, width, 64, 32)``.

        Raises ValueError for pictures of another size than the encoder's.
        """
        check_pictures(x, self.image_size)
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)  # (B, width / 2, 128, 64)
        x = F.relu(self.bn2(self.conv2(x)), inplace=True)  # (B, width / 2, 128, 64)
        x = F.relu(self.bn3(self.conv3(x)), inplace=True)  # (B, width, 128, 64)
        return F.avg_pool2d(x, 2)  # (B, width, 64, 32)

    def finish(self, y4: Tensor) -> tuple[Tensor, Tensor]:
        """The last map ``(B, 2048, 16, 8)`` averaged, ``(B, 2048)``, and the attention pool's mean
        token ``(B, 1024)``.
        """
        return y4.mean(dim=(2, 3)), self.attnpool.mean_token(y4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures ``(B, 3, 256, 128)`` to x3, x4 and the tokens.

        For width 64: x3 ``(B, 1024, 16, 8)``, x4 ``(B, 2048, 16, 8)``, tokens ``(B, 129, 1024)``,
        of which token 0 is the mean. Raises ValueError for pictures of another size.
        """
        x0 = self.stem(x)  # (B, 64, 64, 32)
        x1 = self.layer1(x0)  # (B, 256, 64, 32)
        x2 = self.layer2(x1)  # (B, 512, 32, 16)
        x3 = self.layer3(x2)  # (B, 1024, 16, 8)
        x4 = self.layer4(x3)  # (B, 2048, 16, 8)
        return x3, x4, self.attnpool(x4)


def _stage(inputs: int, planes: int, blocks: int, stride: int) -> nn.Sequential:
    rest = [Bottleneck(planes * _EXPANSION, planes) for _ in range(blocks - 1)]
    return nn.Sequential(Bottleneck(inputs, planes, stride), *rest)


def _check(width: int, image_size: tuple[int, int]) -> None:
    if width < 2 or width % 2:
        raise ValueError(f"width must be even and at least 2, got {width}")
    if any(side % _REDUCTION for side in image_size):
        raise ValueError(f"image_size must be multiples of {_REDUCTION}, got {image_size}")
