"""FusionSegReID: a fused model that also knows where the person is, and words.

Reading B of the paper (arXiv 2503.21595), a compact model: on the maps of an omni-scale network
come a cross-modal alignment transformer, a mask head, attention that the mask guides, pooling over
the foreground, body parts, and vectors that pictures and texts share. What the mask guides is a
copy of the late stages, which learns about hidden people. The ReID vectors are those of the fused
model as long as what is new has not been trained, and always with all switches off.

Shapes are those of `omni-scale-people` at 256 x 128.
"""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reid_model.networks.body_parts import (
    BodyParts,
    part_masks,
    visibilities,
)
from reid_model.networks.cross_modal import CrossModalTransformer, States, Tokens
from reid_model.networks.fused import FusedEmbedder, Trunk
from reid_model.networks.mask_guidance import ForegroundPool, MaskGuidance
from reid_model.networks.mask_head import MaskHead
from reid_model.networks.omni_scale import OmniScale

_SMALLEST = 1e-3
#: Of the part that reads sentences beside the transformer.
_HIDDEN_WIDTH, _DROPOUT = 1536, 0.2


@dataclass(frozen=True, slots=True)
class FusionOptions:
    """The switches, and the size of the transformer.

    ``text``: vectors that texts can be compared with. ``mask``: mask head, guided attention,
    foreground and parts. ``fusion``: queries of a picture and words in one vector. ``text_width``
    is that of the text encoder's states, ``shared`` the length of the vectors shared with texts.
    """

    text: bool = True
    mask: bool = True
    fusion: bool = True
    width: int = 256
    layers: int = 1
    heads: int = 4
    text_width: int = 384
    shared: int = 256


@dataclass(frozen=True, slots=True)
class Body:
    """What is seen of bodies, with the mask guiding.

    ``vectors (B, 256)``: of the person alone, not of unit length. ``mask (B, 1, 32, 16)`` and
    ``parts (B, 5, 16, 8)``: logits. ``visibilities (B, 4)``: in the order of `PARTS`.
    """

    vectors: Tensor
    mask: Tensor
    parts: Tensor
    visibilities: Tensor


@dataclass(frozen=True, slots=True)
class Seen:
    """What the network sees in pictures; None where it is switched off.

    ``vectors (B, 256)``, unit: for ReID. ``text_vectors (B, 256)``, unit: to compare with words.
    ``tokens (B, 32, 256)`` and ``identity (B, 256)``: the transformer's, for queries of both.
    """

    vectors: Tensor
    text_vectors: Tensor | None
    tokens: Tensor | None
    identity: Tensor | None
    body: Body | None


class Adapter(nn.Module):
    """Tokens to the transformer's width, from a mean of 0 and a deviation of 1 in each channel, as
    `fit` saw them."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("deviation", torch.ones(inputs))
        self.linear = nn.Linear(inputs, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """``(B, N, inputs)`` to ``(B, N, width)``."""
        adapted: Tensor = self.linear((tokens - self.mean) / self.deviation)
        return adapted

    def fit(self, tokens: Tensor) -> None:
        """Remember the means and deviations of tokens ``(N, inputs)``; of a channel that never
        changes the deviation counts as 1."""
        self.mean.copy_(tokens.mean(dim=0))
        found = tokens.std(dim=0, correction=0)
        self.deviation.copy_(torch.where(found < _SMALLEST, torch.ones_like(found), found))


class FusionModel(nn.Module):
    """A fused model with an omni-scale encoder, which stays as it is, and what is new around it.

    Raises ValueError for a fused model with another encoder or another embedding than the
    projected feature.
    """

    def __init__(self, fused: FusedEmbedder, options: FusionOptions | None = None) -> None:
        super().__init__()
        self.options = options or FusionOptions()
        encoder = fused.trunk.encoder
        if not isinstance(encoder, OmniScale) or fused.neck_img is not None:
            raise ValueError("expected a fused model of an omni-scale encoder, embedding projected")
        self.fused = fused
        _, one, two, three, four = encoder.channels
        width, shared = self.options.width, self.options.shared
        grid = (encoder.image_size[0] // 32, encoder.image_size[1] // 32)
        self.late = _late_stages(fused.trunk)
        self.adapt = Adapter(two + four, width)
        self.transformer = CrossModalTransformer(
            width, self.options.layers, self.options.heads, grid
        )
        self.adapt_text = Adapter(self.options.text_width, width)
        self.share = nn.Linear(width, shared)
        self.text_head = _text_head(2 * self.options.text_width, shared)
        self.mask_head = MaskHead((one, two, three), width)
        self.guidance = MaskGuidance(two, three)
        self.foreground = ForegroundPool(four)
        self.body_parts = BodyParts(four)
        self.fuse = _fuse(encoder.output_dim + width, encoder.output_dim)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Normalised RGB ``(B, 3, 256, 128)`` to ReID vectors ``(B, 256)``, vectors to compare with
        words ``(B, 256)`` and visibilities ``(B, 4)``; of the last two, those switched off are
        empty. Raises ValueError for another size.
        """
        seen = self.see(x)
        nothing = seen.vectors[:, :0]
        return (
            seen.vectors,
            nothing if seen.text_vectors is None else seen.text_vectors,
            nothing if seen.body is None else seen.body.visibilities,
        )

    def see(self, x: Tensor) -> Seen:
        """Normalised RGB ``(B, 3, 256, 128)``. Raises ValueError for another size."""
        return self.see_maps(*self.fused.trunk.early_maps(x))

    def see_maps(self, x1: Tensor, x2: Tensor) -> Seen:
        """The maps of the first stages, ``(B, 256, 32, 16)`` and ``(B, 384, 16, 8)``."""
        trunk, options = self.fused.trunk, self.options
        x3 = trunk.third(x2)  # (B, 512, 16, 8)
        x4 = trunk.fourth(x3)  # (B, 512, 16, 8)
        tokens = states = text_vectors = body = None
        if options.text or options.mask or options.fusion:
            tokens = self.adapt(_tokens(x2, x4))
            states = self.transformer(tokens, None)
            text_vectors = self.shared(states) if options.text else None
        vectors = self.fused.neck_proj(trunk.encoder.finish(x4)[1])
        if options.mask and states is not None:
            body = self._body(x2, self.mask_head((x1, x2, x3), states.segmentation))
            vectors = _together(vectors, body)
        identity = None if states is None else states.identity
        return Seen(F.normalize(vectors, dim=1), text_vectors, tokens, identity, body)

    def picture_tokens(self, x2: Tensor) -> Tensor:
        """The second stage's map ``(B, 384, 16, 8)`` to the transformer's ``(B, 32, 256)``."""
        tokens: Tensor = self.adapt(self.raw_tokens(x2))
        return tokens

    @torch.no_grad()
    def raw_tokens(self, x2: Tensor) -> Tensor:
        """The second stage's map ``(B, 384, 16, 8)`` to what tokens are made of, ``(B, 32, 896)``.

        They depend on the fused model alone.
        """
        return _tokens(x2, self.fused.trunk.fourth(self.fused.trunk.third(x2)))

    def text_tokens(self, states: Tensor, present: Tensor) -> Tokens:
        """What a text encoder says of each word, ``(B, L, 384)``; ``present (B, L)`` bool."""
        return Tokens(self.adapt_text(states), present)

    def describe(self, states: Tensor, present: Tensor) -> Tensor:
        """Words as of `text_tokens` to unit vectors ``(B, 256)``, to compare with a picture's
        ``text_vectors``."""
        common = self.share(self.transformer(None, self.text_tokens(states, present)).identity)
        return F.normalize(common + self.text_head(mean_and_most(states, present)), dim=1)

    def shared(self, states: States) -> Tensor:
        """The unit vector ``(B, 256)`` that pictures and words share."""
        return F.normalize(self.share(states.identity), dim=1)

    def shared_means(self, picture: Tensor | None, text: Tensor | None) -> Tensor:
        """The same of what tokens are made of on average, ``(B, 896)`` or ``(B, 384)``, by a
        transformer that is new."""
        of_picture = None if picture is None else self.adapt(picture)
        of_text = None if text is None else self.adapt_text(text)
        return F.normalize(self.share(self.transformer.of_means(of_picture, of_text)), dim=1)

    def query(self, seen: Seen, text: Tokens) -> Tensor:
        """Pictures with words to unit vectors ``(B, 256)``, to compare with others' ``vectors``.

        Raises ValueError where fusion is switched off.
        """
        if not self.options.fusion or seen.tokens is None:
            raise ValueError("this model has its fusion of pictures and words switched off")
        return self.fused_with(seen.vectors, self.transformer(seen.tokens, text))

    def fused_with(self, vectors: Tensor, states: States) -> Tensor:
        """Unit vectors ``(B, 256)`` moved by what the transformer says of both sides."""
        change = self.fuse(torch.cat([vectors, states.identity], dim=1))
        return F.normalize(vectors + change, dim=1)

    def _body(self, x2: Tensor, mask: Tensor) -> Body:
        """What is seen where the ``mask (B, 1, 32, 16)``, logits, guides."""
        late, share = self.late, mask.sigmoid()
        assert isinstance(late.encoder, OmniScale)
        x3 = late.third(self.guidance.second(x2, share))
        x4 = late.fourth(self.guidance.third(x3, share))  # (B, 512, 16, 8)
        pooled = self.foreground(x4, late.encoder.pool, share)
        vectors = self.fused.neck_proj(late.encoder.head(pooled))
        parts = self.body_parts(x4)
        return Body(vectors, mask, parts, visibilities(part_masks(parts)))


def _late_stages(trunk: Trunk) -> Trunk:
    """A copy of what a trunk makes of its second stage's map."""
    late = copy.deepcopy(trunk)
    encoder = late.encoder
    assert isinstance(encoder, OmniScale)
    encoder.first = encoder.layer1 = encoder.layer2 = nn.Sequential()
    return late


def _together(whole: Tensor, body: Body) -> Tensor:
    """The fused model's vectors ``(B, 256)`` and those of the body, each of unit length, in one.

    With half as much of the fused model hidden people are found better, and plain pictures worse.
    """
    return F.normalize(body.vectors, dim=1) + F.normalize(whole, dim=1)


def mean_and_most(states: Tensor, present: Tensor) -> Tensor:
    """The mean and the maximum ``(B, 2 * C)`` of the words' states ``(B, L, C)`` that are
    ``present (B, L)``."""
    there = present.unsqueeze(2)
    mean = (states * there).sum(dim=1) / there.sum(dim=1)
    return torch.cat([mean, states.masked_fill(~there, -torch.inf).amax(dim=1)], dim=1)


def _tokens(x2: Tensor, x4: Tensor) -> Tensor:
    """Two maps ``(B, C, 16, 8)``, a token for four places, two by two: ``(B, 32, C + C')``."""
    return F.avg_pool2d(torch.cat([x2, x4], dim=1), 2).flatten(2).transpose(1, 2)


def _fuse(inputs: int, outputs: int) -> nn.Sequential:
    last = _nothing_yet(outputs, outputs)
    return nn.Sequential(nn.LayerNorm(inputs), nn.Linear(inputs, outputs), nn.GELU(), last)


def _text_head(inputs: int, outputs: int) -> nn.Sequential:
    last = _nothing_yet(_HIDDEN_WIDTH, outputs)
    return nn.Sequential(nn.Linear(inputs, _HIDDEN_WIDTH), nn.GELU(), nn.Dropout(_DROPOUT), last)


def _nothing_yet(inputs: int, outputs: int) -> nn.Linear:
    """A layer whose outcome is zero until it has learned."""
    last = nn.Linear(inputs, outputs)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return last
