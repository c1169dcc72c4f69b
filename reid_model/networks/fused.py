"""The fused ReID model: an encoder with MSCSA between its stages, necks and classifiers.

Electronics 2025, 14(3), 525, on CLIP-ReID (Li et al. 2023), whose encoder is CLIP's ResNet; the
omni-scale network can stand in its place. `FusedModel` is what is trained; `FusedEmbedder` is the
part of it that turns crops into vectors. Shapes are those of CLIP's RN50 at 256 x 128.
"""

from dataclasses import dataclass
from itertools import islice
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reid_model.networks.encoder import Encoder
from reid_model.networks.mscsa import MSCSA, Normalisation, Scale, Spatial

#: Which features make the embedding: f_img and f_proj ``before`` the necks, as in the paper, or
#: ``after`` them; or f_proj alone, as it is: ``projected``.
Embedding = Literal["before", "after", "projected"]

_STAGES = 4


@dataclass(frozen=True, slots=True)
class FusedOptions:
    """How a `FusedModel` was built: ``FusedModel(encoder, **asdict(options))`` builds it again."""

    classes: int
    mscsa_modules: int = 3
    normalisation: Normalisation = "softmax"
    spatial: Spatial = "intended"
    scale: Scale = "one"
    embedding: Embedding = "before"
    standardise: bool = False


@dataclass(frozen=True, slots=True)
class Features:
    """What the trunk finds in pictures.

    ``f_last (B, 1024)``: mean of ``y3``. ``f_img (B, 2048)``: the last map, pooled.
    ``f_proj (B, 1024)``: what the encoder makes of it in the end; CLIP's is in its text space.
    ``y3 (B, 1024, 16, 8)``: the third stage's map, after its MSCSA.
    """

    f_last: Tensor
    f_img: Tensor
    f_proj: Tensor
    y3: Tensor


@dataclass(frozen=True, slots=True)
class FusedOutput:
    """What the losses need: ``scores``, two of ``(B, classes)``, of f_img and of f_proj;
    ``features``, those that the triplet loss compares: f_last, f_img, f_proj; and for the texts
    ``f_proj (B, 1024)`` and ``y3 (B, 1024, 16, 8)``.
    """

    scores: tuple[Tensor, Tensor]
    features: tuple[Tensor, Tensor, Tensor]
    f_proj: Tensor
    y3: Tensor


class Trunk(nn.Module):
    """The encoder with an MSCSA after each of its first stages.

    ``standardise`` gives every channel of each picture a mean of 0 and a deviation of 1 before all
    that, which takes away much of the light and of the camera. It is not in the paper.
    """

    def __init__(self, encoder: Encoder, mscsa: list[MSCSA], *, standardise: bool = False) -> None:
        super().__init__()
        self.standardise = standardise
        self.encoder = encoder
        self.mscsa = nn.ModuleList(mscsa)

    def forward(self, x: Tensor) -> Features:
        """Normalised RGB ``(B, 3, 256, 128)``. Raises ValueError for another size."""
        return self.late(self.early(x))

    def early(self, x: Tensor) -> Tensor:
        """Pictures to the second stage's map ``(B, 512, 32, 16)``."""
        return self.early_maps(x)[1]

    def early_maps(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures to the maps of the first two stages, ``(B, 256, 64, 32)`` and `early`'s."""
        encoder = self.encoder
        if self.standardise:
            x = F.instance_norm(x)  # (B, 3, 256, 128)
        y0 = encoder.stem(x)  # (B, 64, 64, 32)
        y1 = self._aggregated(0, encoder.layer1(y0), y0)  # (B, 256, 64, 32)
        return y1, self._aggregated(1, encoder.layer2(y1), y1)

    def late(self, y2: Tensor) -> Features:
        """The second stage's map ``(B, 512, 32, 16)`` to what is made of it."""
        y3 = self.third(y2)
        f_img, f_proj = self.encoder.finish(self.fourth(y3))  # (B, 2048), (B, 1024)
        return Features(f_last=y3.mean(dim=(2, 3)), f_img=f_img, f_proj=f_proj, y3=y3)

    def third(self, y2: Tensor) -> Tensor:
        """The second stage's map to the third's, ``(B, 1024, 16, 8)``."""
        return self._aggregated(2, self.encoder.layer3(y2), y2)

    def fourth(self, y3: Tensor) -> Tensor:
        """The third stage's map to the last, ``(B, 2048, 16, 8)``."""
        return self._aggregated(3, self.encoder.layer4(y3), y3)

    def _aggregated(self, stage: int, high: Tensor, low: Tensor) -> Tensor:
        """The stage's output ``high``, with its input ``low`` where it has an MSCSA."""
        if stage >= len(self.mscsa):
            return high
        y: Tensor = self.mscsa[stage](high, low)
        return y


class FusedEmbedder(nn.Module):
    """From crops to unit vectors: the trunk, and the necks where they take part (else identities).

    Without ``neck_img`` f_img is left out. The names of its parameters are those in the
    `FusedModel` that it comes from.
    """

    def __init__(self, trunk: Trunk, neck_img: nn.Module | None, neck_proj: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk
        self.neck_img = neck_img
        self.neck_proj = neck_proj

    def forward(self, x: Tensor) -> Tensor:
        """Normalised RGB ``(B, 3, 256, 128)`` to ``(B, 3072)``: f_img and f_proj, as one unit
        vector. Raises ValueError for another size.
        """
        return F.normalize(self.raw(x), dim=1)

    def raw(self, x: Tensor) -> Tensor:
        """What `forward` makes a unit vector of: ``(B, 3072)``."""
        features = self.trunk(x)
        projected: Tensor = self.neck_proj(features.f_proj)
        if self.neck_img is None:
            return projected
        return torch.cat([self.neck_img(features.f_img), projected], dim=1)


class FusedModel(nn.Module):
    """The whole model in training: trunk, necks and the classifiers of ``classes`` identities.

    All widths follow ``encoder``, which becomes part of the model. ``mscsa_modules`` is 0 to 4: 3
    is the paper's, 4 its negative case; ``standardise`` as in `Trunk`. ``options`` says how it was
    built, but for the encoder.
    Raises ValueError for a count out of range, an unknown option, and two that exclude each other.
    """

    def __init__(
        self,
        encoder: Encoder,
        classes: int,
        *,
        mscsa_modules: int = 3,
        normalisation: Normalisation = "softmax",
        spatial: Spatial = "intended",
        scale: Scale = "one",
        embedding: Embedding = "before",
        standardise: bool = False,
    ) -> None:
        super().__init__()
        self.options = FusedOptions(
            classes, mscsa_modules, normalisation, spatial, scale, embedding, standardise
        )
        _check(self.options)
        self.trunk = Trunk(encoder, _mscsa(encoder, self.options), standardise=standardise)
        image_width, projected_width = encoder.channels[-1], encoder.output_dim
        self.neck_img = _neck(image_width)
        self.neck_proj = _neck(projected_width)
        self.classifier_img = _classifier(image_width, classes)
        self.classifier_proj = _classifier(projected_width, classes)

    def features(self, x: Tensor) -> Features:
        """Normalised RGB ``(B, 3, 256, 128)``. Raises ValueError for another size."""
        found: Features = self.trunk(x)
        return found

    def forward(self, x: Tensor) -> FusedOutput:
        """Normalised RGB ``(B, 3, 256, 128)``. Raises ValueError for another size."""
        found = self.features(x)
        score_img = self.classifier_img(self.neck_img(found.f_img))  # (B, classes)
        score_proj = self.classifier_proj(self.neck_proj(found.f_proj))  # (B, classes)
        return FusedOutput(
            scores=(score_img, score_proj),
            features=(found.f_last, found.f_img, found.f_proj),
            f_proj=found.f_proj,
            y3=found.y3,
        )

    def embed(self, x: Tensor) -> Tensor:
        """Normalised RGB ``(B, 3, 256, 128)`` to unit vectors ``(B, 3072)``. Call it in eval mode.

        Raises ValueError for another size.
        """
        vectors: Tensor = self.deploy()(x)
        return vectors

    def deploy(self) -> FusedEmbedder:
        """The embedding part, without classifiers. It shares its weights with this model."""
        neck_img, neck_proj = {
            "before": (nn.Identity(), nn.Identity()),
            "after": (self.neck_img, self.neck_proj),
            "projected": (None, nn.Identity()),
        }[self.options.embedding]
        embedder = FusedEmbedder(self.trunk, neck_img, neck_proj)
        # Not .train(), which would change the modes of the shared parts.
        embedder.training = self.training
        return embedder


def _mscsa(encoder: Encoder, options: FusedOptions) -> list[MSCSA]:
    shapes = zip(encoder.channels[1:], encoder.channels, encoder.strides, strict=False)
    return [
        MSCSA(
            high,
            low,
            stride,
            normalisation=options.normalisation,
            spatial=options.spatial,
            scale=options.scale,
        )
        for high, low, stride in islice(shapes, options.mscsa_modules)
    ]


def _neck(width: int) -> nn.BatchNorm1d:
    """Batch normalisation that never shifts: its bias stays zero."""
    neck = nn.BatchNorm1d(width)
    neck.bias.requires_grad_(False)
    return neck


def _classifier(width: int, classes: int) -> nn.Linear:
    classifier = nn.Linear(width, classes, bias=False)
    nn.init.normal_(classifier.weight, std=0.001)
    return classifier


def _check(options: FusedOptions) -> None:
    if not 0 <= options.mscsa_modules <= _STAGES:
        raise ValueError(f"mscsa_modules must be 0 to {_STAGES}, got {options.mscsa_modules}")
    if options.classes < 1:
        raise ValueError(f"classes must be at least 1, got {options.classes}")
    if options.embedding not in get_args(Embedding):
        known = ", ".join(get_args(Embedding))
        raise ValueError(f"embedding must be one of {known}, got {options.embedding!r}")
