"""Stage 1: one prompt is learned for each identity, so that its text matches the person's pictures.

CLIP-ReID (Li et al. 2023). Both encoders are frozen. In mode A the image features are computed
once; in mode B MSCSA is trained together with the prompts (Electronics 2025, 14(3), 525).
"""

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from reid_model.losses import image_to_text_contrast, text_to_image_contrast
from reid_model.networks.clip_text import ClipText
from reid_model.networks.prompts import PromptLearner
from reid_model.networks.sentence_text import SentenceText
from reid_model.training.build import Parts
from reid_model.training.optimiser import Descent
from reid_model.training.recipe import Stage1Mode

_TEXTS_AT_ONCE = 256


def stage1_epoch(
    prompts: PromptLearner,
    text_encoder: ClipText | SentenceText,
    features: Callable[[Tensor], Tensor],
    batches: Iterable[tuple[Tensor, Tensor]],
    descent: Descent,
) -> Iterator[dict[str, Tensor]]:
    """Train on each batch and yield its losses.

    A batch is the input of ``features``, which returns image features ``(B, D)``, and the classes
    ``(B,)``. The parameters of ``descent`` are trained.
    """
    for inputs, labels in batches:
        labels = labels.to(descent.device)
        classes, rows = torch.unique(labels, return_inverse=True)
        with descent.autocast():
            images = features(inputs)  # (B, D)
            texts = texts_of(prompts, text_encoder, classes)[rows]  # (B, D)
        to_text = image_to_text_contrast(images, texts, labels)
        to_image = text_to_image_contrast(images, texts, labels)
        loss = to_text + to_image
        descent.step(loss)
        yield {
            "loss": loss.detach(),
            "image_to_text": to_text.detach(),
            "text_to_image": to_image.detach(),
        }


def set_stage1_modes(parts: Parts, mode: Stage1Mode) -> None:
    """Set eval mode, and in mode B training mode for MSCSA."""
    parts.eval()
    parts.model.trunk.mscsa.train(mode == "B")


def texts_of(
    prompts: PromptLearner, text_encoder: ClipText | SentenceText, classes: Tensor
) -> Tensor:
    """The texts ``(n, D)`` of the classes ``(n,)``."""
    embeddings, ends = prompts(classes)  # (n, 77, width), (n,)
    # Attention is causal: tokens after the end have no effect.
    length = int(ends.max()) + 1
    return text_encoder.encode(embeddings[:, :length], ends)


@torch.no_grad()
def class_texts(prompts: PromptLearner, text_encoder: ClipText | SentenceText) -> Tensor:
    """The texts ``(C, D)`` float32 of all classes, for stage 2."""
    classes = torch.arange(len(prompts.context), device=prompts.context.device)
    parts = [texts_of(prompts, text_encoder, some) for some in torch.split(classes, _TEXTS_AT_ONCE)]
    return torch.cat(parts).float()
