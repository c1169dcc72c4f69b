"""Stage 2: the image encoder learns to tell people apart, with the texts of stage 1 as a guide.

CLIP-ReID (Li et al. 2023); texts adapted to each picture are those of Electronics 2025, 14(3), 525.
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
from reid_model.training.optimiser import Descent, placed
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
    for pictures, labels, theirs in batches:
        pictures, labels = placed(pictures, descent.device), labels.to(descent.device)
        identified = labels != NO_IDENTITY  # (B,)
        with descent.autocast():
            output = parts.model(pictures)
            compared = _compared(parts, texts, output.y3[identified], recipe.plain_texts)
        loss = stage2_loss(
            [scores[identified] for scores in output.scores],
            [features[identified] for features in output.features],
            output.f_proj[identified],
            compared,
            labels[identified],
            weights,
            smoothing=recipe.smoothing,
            margin=recipe.margin,
        )
        student = torch.cat(output.features[1:], dim=1).float()  # f_img and f_proj, (B, D)
        taught = _taught(parts.to_teachers, theirs, student, distillation)
        total = loss.total + taught
        descent.step(total)
        yield {
            "loss": total.detach(),
            "identity": loss.identity.detach(),
            "triplet": loss.triplet.detach(),
            "image_to_text": loss.image_to_text.detach(),
            "distillation": taught.detach(),
        }


def _compared(parts: Parts, texts: Tensor | None, y3: Tensor, plain: bool) -> list[Tensor]:
    """The texts that pictures are compared with: none, ``(C, D)``, ``(B, C, D)``, or both."""
    if texts is None:
        return []
    if parts.guidance is None:
        return [texts]
    guided = parts.guidance(texts, y3)  # (B, C, D)
    return [guided, texts] if plain else [guided]


def _taught(
    maps: nn.ModuleList,
    teachers: Sequence[Tensor],
    student: Tensor,
    recipe: DistillationRecipe,
) -> Tensor:
    """How far the embeddings ``(B, D)`` are from what the teachers say, their mean."""
    total = student.new_zeros(())
    for to_teacher, teacher in zip(maps, teachers, strict=True):
        theirs = teacher.to(student.device)
        total = (
            total
            + recipe.embedding * cosine_distillation(to_teacher(student), theirs)
            + recipe.similarity * similarity_distillation(student, theirs)
            + recipe.neighbours * neighbour_distillation(student, theirs, recipe.temperature)
        )
    return total / max(len(teachers), 1)
