"""The two stages of CLIP-ReID (Li et al. 2023).

Stage 1 learns one prompt for each identity, so that its text matches the person's pictures. Both
encoders are frozen. In mode A the image features are computed once; in mode B MSCSA is trained
together with the prompts (Electronics 2025, 14(3), 525). Stage 2 trains the image encoder to tell
people apart, guided by the texts of stage 1, which may be adapted to each picture (the same).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn

from reid_model.data.dataset import NO_IDENTITY
from reid_model.losses import (
    Stage2Weights,
    cosine_distillation,
    image_to_text_contrast,
    neighbour_distillation,
    similarity_distillation,
    stage2_loss,
    text_to_image_contrast,
)
from reid_model.networks.clip_transformer import ClipText
from reid_model.networks.prompts import PromptLearner
from reid_model.networks.sentence_text import SentenceText
from reid_model.training.build import Parts
from reid_model.training.optimiser import Descent, to_device
from reid_model.training.recipe import DistillationRecipe, Stage1Mode, Stage2Recipe

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


def stage2_epoch(
    parts: Parts,
    texts: Tensor | None,
    batches: Iterable[tuple[Tensor, Tensor, list[Tensor]]],
    recipe: Stage2Recipe,
    distillation: DistillationRecipe,
    descent: Descent,
) -> Iterator[dict[str, Tensor]]:
    """Train on each batch of pictures ``(B, 3, H, W)``, classes ``(B,)`` and each teacher's
    embeddings ``(B, E)``, and yield its losses. A picture of `NO_IDENTITY` counts in the
    distillation losses only.

    ``texts`` are those of all classes ``(C, D)``; None is the baseline.
    """
    parts.train()
    weights = Stage2Weights(recipe.identity, recipe.triplet, recipe.image_to_text)
    for pictures, labels, embeddings in batches:
        pictures, labels = to_device(pictures, descent.device), labels.to(descent.device)
        identified = labels != NO_IDENTITY  # (B,)
        with descent.autocast():
            output = parts.model(pictures)
            targets = _target_texts(parts, texts, output.y3[identified], recipe.plain_texts)
        loss = stage2_loss(
            [scores[identified] for scores in output.scores],
            [features[identified] for features in output.features],
            output.f_proj[identified],
            targets,
            labels[identified],
            weights,
            smoothing=recipe.smoothing,
            margin=recipe.margin,
        )
        student = torch.cat(output.features[1:], dim=1).float()  # f_img and f_proj, (B, D)
        distilled = _distillation_loss(parts.to_teachers, embeddings, student, distillation)
        total = loss.total + distilled
        descent.step(total)
        yield {
            "loss": total.detach(),
            "identity": loss.identity.detach(),
            "triplet": loss.triplet.detach(),
            "image_to_text": loss.image_to_text.detach(),
            "distillation": distilled.detach(),
        }


def _target_texts(parts: Parts, texts: Tensor | None, y3: Tensor, plain: bool) -> list[Tensor]:
    """The texts of the image-to-text loss: none, ``(C, D)``, ``(B, C, D)``, or both."""
    if texts is None:
        return []
    if parts.guidance is None:
        return [texts]
    guided = parts.guidance(texts, y3)  # (B, C, D)
    return [guided, texts] if plain else [guided]


def _distillation_loss(
    maps: nn.ModuleList,
    teachers: Sequence[Tensor],
    student: Tensor,
    recipe: DistillationRecipe,
) -> Tensor:
    """The distillation loss of embeddings ``(B, D)``, averaged over the teachers."""
    total = student.new_zeros(())
    for to_teacher, teacher in zip(maps, teachers, strict=True):
        target = teacher.to(student.device)
        total = (
            total
            + recipe.embedding * cosine_distillation(to_teacher(student), target)
            + recipe.similarity * similarity_distillation(student, target)
            + recipe.neighbours * neighbour_distillation(student, target, recipe.temperature)
        )
    return total / max(len(teachers), 1)
