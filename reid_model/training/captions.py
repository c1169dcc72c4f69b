"""A linear map from an open text encoder to an image encoder's space, learned from descriptions.

For trainings with texts where CLIP's weights are not available: CLIP's two encoders share a space,
those of two other networks do not. Both are frozen here; the map learns by CLIP's symmetric
contrastive loss (Radford et al. 2021; with a frozen image encoder: Zhai et al. 2022, "LiT").
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reid_model.data.captions import Caption
from reid_model.losses import stage1_loss
from reid_model.training.batches import random_batches

#: The inverse temperature: its initial value and its upper limit, as in CLIP.
_FIRST_SCALE, _LARGEST_SCALE = 1 / 0.07, 100.0
#: One person in this many is held out for evaluation.
_ONE_IN = 10


@dataclass(frozen=True, slots=True)
class MapRecipe:
    """The training of a map: AdamW, with a learning rate that falls in a cosine over all steps.
    ``batch`` counts descriptions.
    """

    epochs: int = 30
    batch: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 0.1
    seed: int = 1234


def caption_pictures(captions: Sequence[Caption]) -> list[Path]:
    """Every picture of the captions once, in the order of `caption_features`."""
    return sorted({path for caption in captions for path in caption.pictures})


def caption_features(captions: Sequence[Caption], features: Tensor) -> Tensor:
    """``(N, D)``: the mean of each caption's pictures, whose ``features`` ``(P, D)`` are in the
    order of `caption_pictures`.
    """
    rows = {path: row for row, path in enumerate(caption_pictures(captions))}
    return torch.stack(
        [features[[rows[path] for path in caption.pictures]].mean(dim=0) for caption in captions]
    )


def learn_and_measure(
    recipe: MapRecipe, captions: Sequence[Caption], sentences: Tensor, features: Tensor
) -> tuple[Tensor, dict[str, float]]:
    """`learn_map` on nine people in ten, and the metrics on the others.

    The metrics are ``captions`` and ``people`` of the training, ``unseen_people`` held out, and
    ``unseen_rank1``, the `text_rank1` of those. Raises ValueError as `learn_map`.
    """
    people = torch.tensor([caption.person for caption in captions], dtype=torch.int64)
    everybody = sorted({caption.person for caption in captions})
    unseen = everybody[::_ONE_IN]
    held_out = torch.isin(people, torch.tensor(unseen, dtype=torch.int64))
    learned = learn_map(recipe, sentences[~held_out], features[~held_out], people[~held_out])
    rank1 = text_rank1(sentences[held_out] @ learned, features[held_out], people[held_out])
    return learned, {
        "captions": int((~held_out).sum()),
        "people": len(everybody) - len(unseen),
        "unseen_people": len(unseen),
        "unseen_rank1": round(rank1, 4),
    }


def learn_map(recipe: MapRecipe, sentences: Tensor, features: Tensor, people: Tensor) -> Tensor:
    """The map ``(S, D)`` of descriptions ``(N, S)`` to the ``features`` ``(N, D)`` of their
    pictures; ``people`` ``(N,)`` says whom they show.

    All descriptions of a person are positives of all pictures of that person. The texts are scaled
    so that their dot products with image features, which both stages of CLIP-ReID use, are the
    learned logits. The same seed gives the same map. Raises ValueError without descriptions.
    """
    if len(sentences) == 0:
        raise ValueError("there are no descriptions to train on")
    pictures = F.normalize(features, dim=1)
    learned, log_scale = _new_map(recipe.seed, sentences.shape[1], features.shape[1])
    optimiser = torch.optim.AdamW(
        [
            {"params": [learned], "weight_decay": recipe.weight_decay},
            {"params": [log_scale], "weight_decay": 0.0},
        ],
        lr=recipe.learning_rate,
    )
    steps = recipe.epochs * math.ceil(len(sentences) / recipe.batch)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=steps)
    for epoch in range(1, recipe.epochs + 1):
        for batch in random_batches(len(sentences), recipe.batch, recipe.seed, epoch):
            scale = log_scale.exp().clamp(max=_LARGEST_SCALE)
            texts = F.normalize(sentences[batch] @ learned, dim=1)
            loss = stage1_loss(scale * pictures[batch], texts, people[batch])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            rate.step()
    lengths = (sentences @ learned).norm(dim=1).mean() * features.norm(dim=1).mean()
    scaled: Tensor = learned * (min(math.exp(log_scale.item()), _LARGEST_SCALE) / lengths)
    return scaled.detach()


def text_rank1(texts: Tensor, features: Tensor, people: Tensor) -> float:
    """Rank 1 of finding people by their descriptions.

    It is the share of ``texts`` ``(N, D)`` for which, of all ``features`` ``(N, D)`` of their
    pictures, the most similar by cosine shows the person described, of ``people`` ``(N,)``.
    """
    nearest = (F.normalize(texts, dim=1) @ F.normalize(features, dim=1).T).argmax(dim=1)
    return float((people[nearest] == people).float().mean())


def _new_map(seed: int, inputs: int, outputs: int) -> tuple[nn.Parameter, nn.Parameter]:
    """A random map, and the logarithm of the inverse temperature."""
    generator = torch.Generator().manual_seed(seed)
    return (
        nn.Parameter(inputs**-0.5 * torch.randn(inputs, outputs, generator=generator)),
        nn.Parameter(torch.tensor(math.log(_FIRST_SCALE))),
    )
