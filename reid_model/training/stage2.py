"""Stage 2: the image encoder learns to tell people apart, guided by the texts of stage 1.

CLIP-ReID (Li et al. 2023); the texts adapted to each picture are from Electronics 2025, 14(3), 525.
"""

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn

from reid_model.data.dataset import NO_IDENTITY
from reid_model.losses import (
    Stage2Weights,
    cosine_distillation,
    neighbour_distillation,
    similarity_distillation,
    stage2_loss,
)
from reid_model.training.build import Parts
from reid_model.training.optimiser import Descent, to_device
from reid_model.training.recipe import DistillationRecipe, Stage2Recipe


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
