"""A small text encoder, trained on written descriptions to match a trained image encoder.

For trainings with texts where CLIP's weights are not available. The image encoder is frozen; the
text encoder learns by CLIP's symmetric contrastive loss (Radford et al. 2021; with a frozen image
encoder: Zhai et al. 2022, "LiT").
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reid_model.data.captions import Caption
from reid_model.data.reid_set import ReidImage
from reid_model.losses import stage1_loss
from reid_model.networks.clip_text import ClipText, end_positions, tokenize
from reid_model.training.batches import random_batches
from reid_model.training.measure import extract
from reid_model.training.optimiser import autocast
from reid_model.training.recipe import TrainingPrecision
from reid_model.training.state import Stopped

#: The inverse temperature: its initial value and its upper limit, as in CLIP.
_FIRST_SCALE, _LARGEST_SCALE = 1 / 0.07, 100.0
_TEXTS_AT_ONCE = 256
#: One person in this many is held out for evaluation.
_ONE_IN = 10


@dataclass(frozen=True, slots=True)
class TextRecipe:
    """The size of a text encoder and its training: AdamW, with a learning rate that falls in a
    cosine over all steps. ``batch`` counts descriptions.
    """

    width: int = 256
    layers: int = 4
    heads: int = 4
    epochs: int = 15
    batch: int = 128
    learning_rate: float = 5e-4
    weight_decay: float = 0.1
    seed: int = 1234


def caption_features(
    network: Callable[[Tensor], Tensor],
    captions: Sequence[Caption],
    image_size: tuple[int, int],
    *,
    device: str = "cpu",
    precision: TrainingPrecision = "float32",
    workers: int = 0,
) -> Tensor:
    """``(N, D)`` float32 on the CPU: the mean features of each caption's pictures by ``network``.

    The network must be in eval mode. Raises ValueError as `extract`.
    """
    paths = sorted({path for caption in captions for path in caption.pictures})
    images = [ReidImage(path, identity=0, camera=0) for path in paths]
    features = extract(
        network, images, image_size, device=device, precision=precision, workers=workers
    )
    rows = {path: row for row, path in enumerate(paths)}
    return torch.stack(
        [features[[rows[path] for path in caption.pictures]].mean(dim=0) for caption in captions]
    )


def learn_and_measure(
    recipe: TextRecipe,
    captions: Sequence[Caption],
    features: Tensor,
    *,
    device: str = "cpu",
    precision: TrainingPrecision = "float32",
    report: Callable[[int, float], None] = lambda epoch, loss: None,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[ClipText, dict[str, float]]:
    """`learn_captions` on nine people in ten, and the metrics on the others.

    The metrics are ``captions`` and ``people`` of the training, ``unseen_people`` held out, and
    ``unseen_rank1``, the `text_rank1` of those. Raises as `learn_captions`.
    """
    held_out = set(sorted({caption.person for caption in captions})[::_ONE_IN])
    trained = [row for row, one in enumerate(captions) if one.person not in held_out]
    unseen = [row for row, one in enumerate(captions) if one.person in held_out]
    text = learn_captions(
        recipe,
        [captions[row] for row in trained],
        features[trained],
        device=device,
        precision=precision,
        report=report,
        stop=stop,
    )
    rank1 = text_rank1(text, [captions[row] for row in unseen], features[unseen])
    return text, {
        "captions": len(trained),
        "people": len({captions[row].person for row in trained}),
        "unseen_people": len(held_out),
        "unseen_rank1": round(rank1, 4),
    }


def learn_captions(
    recipe: TextRecipe,
    captions: Sequence[Caption],
    features: Tensor,
    *,
    device: str = "cpu",
    precision: TrainingPrecision = "float32",
    report: Callable[[int, float], None] = lambda epoch, loss: None,
    stop: Callable[[], bool] = lambda: False,
) -> ClipText:
    """A text encoder for ``captions``, whose pictures have ``features`` ``(N, D)``.

    All descriptions of a person are positives of all pictures of that person. The texts are scaled
    so that their dot products with image features, which both stages of CLIP-ReID use, are the
    learned logits. ``report`` is called with each epoch and its mean loss. The same seed gives the
    same weights on the CPU. Raises Stopped when ``stop`` returns true, and ValueError without
    captions and when the tokenizer is not installed.
    """
    if not captions:
        raise ValueError("there are no descriptions to train on")
    tokens = tokenize([caption.text for caption in captions], cut=True).to(device)
    people = torch.tensor([caption.person for caption in captions], device=device)
    pictures = F.normalize(features.to(device), dim=1)
    batches = math.ceil(len(captions) / recipe.batch)
    trainer = _Trainer(recipe, features.shape[1], device, precision, steps=recipe.epochs * batches)
    for epoch in range(1, recipe.epochs + 1):
        total = 0.0
        for batch in random_batches(len(captions), recipe.batch, recipe.seed, epoch):
            if stop():
                raise Stopped
            total += trainer.step(tokens[batch], pictures[batch], people[batch])
        report(epoch, total / batches)
    _set_length(trainer.text, tokens, trainer.scale() / float(features.norm(dim=1).mean()))
    return trainer.text.eval()


class _Trainer:
    """A new text encoder with its temperature and optimiser."""

    def __init__(
        self,
        recipe: TextRecipe,
        output_dim: int,
        device: str,
        precision: TrainingPrecision,
        steps: int,
    ) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(recipe.seed)
            text = ClipText(output_dim, recipe.width, recipe.layers, recipe.heads)
        self.text = text.to(device)
        self._log_scale = nn.Parameter(torch.tensor(math.log(_FIRST_SCALE), device=device))
        self._autocast = lambda: autocast(device, precision)
        self._optimiser = torch.optim.AdamW(
            [
                {"params": self.text.parameters(), "weight_decay": recipe.weight_decay},
                {"params": [self._log_scale], "weight_decay": 0.0},
            ],
            lr=recipe.learning_rate,
        )
        self._rate = torch.optim.lr_scheduler.CosineAnnealingLR(self._optimiser, T_max=steps)

    def scale(self) -> float:
        """The inverse temperature: the factor of cosines."""
        return min(math.exp(self._log_scale.item()), _LARGEST_SCALE)

    def step(self, tokens: Tensor, pictures: Tensor, people: Tensor) -> float:
        """One step on token ids ``(B, 77)``, unit image vectors ``(B, D)`` and identities ``(B,)``.

        Returns the loss.
        """
        with self._autocast():  # type: ignore[no-untyped-call]
            texts = _encoded(self.text, tokens)  # (B, D)
        scale = self._log_scale.exp().clamp(max=_LARGEST_SCALE)
        loss = stage1_loss(scale * pictures, F.normalize(texts.float(), dim=1), people)
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        self._rate.step()
        return loss.item()


def text_rank1(text: ClipText, captions: Sequence[Caption], features: Tensor) -> float:
    """Rank 1 of finding people by their descriptions.

    It is the share of ``captions`` for which, of all ``features`` ``(N, D)`` of their pictures, the
    most similar by cosine shows the person described.
    """
    device = text.positional_embedding.device
    people = torch.tensor([caption.person for caption in captions])
    texts = _all_encoded(text, tokenize([caption.text for caption in captions], cut=True), device)
    nearest = (F.normalize(texts.cpu(), dim=1) @ F.normalize(features, dim=1).T).argmax(dim=1)
    return float((people[nearest] == people).float().mean())


def _encoded(text: ClipText, tokens: Tensor) -> Tensor:
    # Attention is causal: tokens after the end of the longest text have no effect.
    found: Tensor = text(tokens[:, : int(end_positions(tokens).max()) + 1])
    return found


@torch.no_grad()
def _all_encoded(text: ClipText, tokens: Tensor, device: torch.device) -> Tensor:
    return torch.cat(
        [_encoded(text, some.to(device)) for some in torch.split(tokens, _TEXTS_AT_ONCE)]
    )


@torch.no_grad()
def _set_length(text: ClipText, tokens: Tensor, length: float) -> None:
    """Scale the projection so that texts of ids ``(N, 77)`` have this mean length."""
    text.text_projection.mul_(length / _all_encoded(text, tokens, tokens.device).norm(dim=1).mean())
