"""Omni-scale network (OSNet): blocks that see a person in four sizes at once, and weigh them.

Zhou et al., "Learning Generalisable Omni-Scale Representations for Person Re-Identification",
TPAMI 2021, in the shape of Open Model Zoo's `person-reidentification-retail-0277` (width 1.0) and
`-0286` (0.75): instance norms on the picture and after the first convolution, gates of two kinds,
a learned weight for every position in place of average pooling, and a head of 256 numbers. Batch
norms are folded into the convolutions before them.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from reid_model.networks.positional import check_pictures

#: How much smaller the last map is than the picture.
_REDUCTION = 16
_STREAMS = 4
#: How many channels a gate reduces to one before it weighs them, or how many groups it makes.
_GATE = 16


class LightConv(nn.Sequential):
    """A 3x3 convolution in two cheap steps: across channels, then each channel by itself."""

    def __init__(self, channels: int) -> None:
        super().__init__(
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels),
            nn.ReLU(inplace=True),
        )


class SqueezeGate(nn.Sequential):
    """How much each channel counts, by two small layers on the channels' means."""

    def __init__(self, channels: int) -> None:
        super().__init__(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, channels // _GATE, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels // _GATE, channels, 1),
            nn.Sigmoid(),
        )


class ContextGate(nn.Sequential):
    """How much each channel counts, by how its mean stands out in its group of channels."""

    def __init__(self, channels: int) -> None:
        super().__init__(
            nn.AdaptiveAvgPool2d(1),
            nn.GroupNorm(math.gcd(channels, _GATE), channels),
            nn.Sigmoid(),
        )


class OmniScaleBlock(nn.Module):
    """Streams of one to four light convolutions, which see ever larger parts of the picture; one
    ``gate``, shared by the streams, says what each of their channels counts in the sum.
    """

    def __init__(self, inputs: int, outputs: int, gate: Callable[[int], nn.Sequential]) -> None:
        super().__init__()
        middle = outputs // 4
        self.reduce = nn.Sequential(nn.Conv2d(inputs, middle, 1), nn.ReLU(inplace=True))
        self.streams = nn.ModuleList(_stream(middle, depth + 1) for depth in range(_STREAMS))
        self.gate = gate(middle)
        self.expand = nn.Conv2d(middle, outputs, 1)
        self.shortcut = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)
        self.last = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inputs, H, W)`` to ``(B, outputs, H, W)``."""
        reduced = self.reduce(x)  # (B, outputs / 4, H, W)
        seen = [stream(reduced) for stream in self.streams]
        weighed = sum(self.gate(one) * one for one in seen)
        y: Tensor = self.last(self.expand(weighed) + self.shortcut(x))
        return y


class OmniScale(nn.Module):
    """The whole network; normalised RGB in, 256 numbers out.

    ``width`` is the stem's output: the stages have 4, 6, 8 and 8 times as many channels. With 64,
    which is width 1.0 of the paper, there are 2,089,337 parameters. ``image_size`` is height and
    width in pixels, multiples of 16; the learned pooling fits no other size. Attributes: ``width``,
    ``output_dim``, ``image_size``, and of the stem and the four stages ``channels`` and, but for
    the stem, ``strides``.

    Raises ValueError for a size or a width that cannot be built.
    """

    strides = (2, 2, 1, 1)

    def __init__(
        self, width: int = 64, output_dim: int = 256, image_size: tuple[int, int] = (256, 128)
    ) -> None:
        super().__init__()
        _check(width, image_size)
        self.width, self.output_dim, self.image_size = width, output_dim, image_size
        self.channels = (width, 4 * width, 6 * width, 8 * width, 8 * width)
        stem, one, two, three, four = self.channels
        self.first = nn.Sequential(
            nn.InstanceNorm2d(3, affine=True),
            nn.Conv2d(3, stem, 7, stride=2, padding=3, bias=False),
            nn.InstanceNorm2d(stem, affine=True),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        self.layer1 = nn.Sequential(*_blocks(stem, one), *_halved(one))
        self.layer2 = nn.Sequential(*_blocks(one, two), *_halved(two))
        self.layer3 = nn.Sequential(*_blocks(two, three))
        self.layer4 = nn.Sequential(nn.Conv2d(three, four, 1), nn.ReLU(inplace=True))
        grid = (image_size[0] // _REDUCTION, image_size[1] // _REDUCTION)
        self.pool = nn.Conv2d(four, four, grid, groups=four)
        self.head = nn.Sequential(
            nn.Linear(four, output_dim), ChannelScale(output_dim), nn.PReLU(init=0.99)
        )

    def stem(self, x: Tensor) -> Tensor:
        """Pictures ``(B, 3, 256, 128)`` to the first map ``(B, 64, 64, 32)``.

        Raises ValueError for pictures of another size than the network's.
        """
        check_pictures(x, self.image_size)
        y: Tensor = self.first(x)
        return y

    def finish(self, y4: Tensor) -> tuple[Tensor, Tensor]:
        """The last map ``(B, 512, 16, 8)`` pooled, ``(B, 512)``, and the head's ``(B, 256)``."""
        pooled: Tensor = self.pool(y4).flatten(1)
        return pooled, self.head(pooled)

    def forward(self, x: Tensor) -> Tensor:
        """Pictures ``(B, 3, 256, 128)`` to vectors ``(B, 256)``, not of unit length.

        Raises ValueError for pictures of another size.
        """
        y = self.layer1(self.stem(x))  # (B, 256, 32, 16)
        y = self.layer2(y)  # (B, 384, 16, 8)
        y = self.layer4(self.layer3(y))  # (B, 512, 16, 8)
        return self.finish(y)[1]


class ChannelScale(nn.Module):
    """``x * scale + shift``: what is left of a batch norm that learns nothing more."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))
        self.shift = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """``(B, width)`` to ``(B, width)``."""
        return x * self.scale + self.shift


def _blocks(inputs: int, outputs: int) -> Sequence[nn.Module]:
    return (
        OmniScaleBlock(inputs, outputs, SqueezeGate),
        OmniScaleBlock(outputs, outputs, ContextGate),
    )


def _stream(channels: int, depth: int) -> nn.Sequential:
    return nn.Sequential(*[LightConv(channels) for _ in range(depth)])


def _halved(channels: int) -> Sequence[nn.Module]:
    return nn.Conv2d(channels, channels, 1), nn.ReLU(inplace=True), nn.AvgPool2d(2)


def _check(width: int, image_size: tuple[int, int]) -> None:
    if width < _GATE or width % 4:
        raise ValueError(f"width must be a multiple of 4 and at least {_GATE}, got {width}")
    if any(side < _REDUCTION or side % _REDUCTION for side in image_size):
        raise ValueError(f"image_size must be multiples of {_REDUCTION}, got {image_size}")
