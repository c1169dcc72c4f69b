"""The words of the ablation: a text encoder in the image encoder's space, and a text per person."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.optim import Adam

from reid_model.data.captions import Caption
from reid_model.networks.prompts import PromptLearner
from reid_model.networks.sentence_text import SENTENCE_PROMPT, SentenceText, sentence_tokens
from reid_model.training.batches import random_batches
from reid_model.training.captions import MapRecipe, caption_features, learn_and_measure
from reid_model.training.optimiser import (
    Descent,
    new_scaler,
    parameter_groups,
    set_rate,
    stage1_rate,
)
from reid_model.training.recipe import Stage1Recipe
from reid_model.training.stages import class_texts, stage1_epoch

_AT_ONCE = 64


def fit_to_pictures(
    text: SentenceText, tokenizer: Path, captions: Sequence[Caption], features: Tensor
) -> dict[str, float]:
    """Give ``text`` the map to the space of ``features`` ``(P, D)``, which are those of
    `caption_pictures`. Returns how well it finds people that it was not fitted on.
    """
    learned, figures = learn_and_measure(
        MapRecipe(),
        captions,
        _sentences(text, tokenizer, captions),
        caption_features(captions, features),
    )
    text.text_projection.data.copy_(learned)
    return figures


def learned_texts(
    text: SentenceText,
    features: Tensor,
    classes: Tensor,
    recipe: Stage1Recipe,
    seed: int,
    say: Callable[[str], None],
) -> Tensor:
    """Stage 1 on kept features ``(N, D)`` of the ``classes`` ``(N,)``: a text ``(C, D)`` each."""
    text.requires_grad_(False).eval()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        count = int(classes.max()) + 1
        prompts = PromptLearner(text.token_embedding.weight, count, SENTENCE_PROMPT)
    optimiser = Adam(list(parameter_groups(prompts, 1.0)), weight_decay=recipe.weight_decay)
    descent = Descent(optimiser, new_scaler("cpu", "bfloat16"), "cpu", "bfloat16")
    for epoch in range(1, recipe.epochs + 1):
        set_rate(optimiser, stage1_rate(epoch, recipe))
        batches = random_batches(len(features), recipe.batch, seed, epoch)
        chosen = ((features[batch], classes[batch]) for batch in batches)
        steps = list(stage1_epoch(prompts, text, lambda found: found, chosen, descent))
        say(f"texts, epoch {epoch} of {recipe.epochs}: loss {float(steps[-1]['loss']):.2f}")
    return class_texts(prompts, text)


def _sentences(text: SentenceText, tokenizer: Path, captions: Sequence[Caption]) -> Tensor:
    words = [caption.text for caption in captions]
    with torch.inference_mode():
        found = [
            text.sentences(sentence_tokens(tokenizer, words[first : first + _AT_ONCE]))
            for first in range(0, len(words), _AT_ONCE)
        ]
    return torch.cat(found).clone()
