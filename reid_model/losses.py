"""The losses of both training stages and of distillation, as functions of tensors.

CLIP-ReID (Li et al. 2023) and Electronics 2025, 14(3), 525. All are scalar means over the batch,
and zero with a zero gradient for a batch without samples or pairs. They compute in float32: call
them outside autocast, which would round products again. B is the batch size, D the length of a
feature, C the number of classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

#: Distances below this, the square root of 1e-12, count as this.
_TINY_DISTANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Stage2Weights:
    """The loss weights of the second stage. ``identity`` is 0.25 for a ViT."""

    identity: float = 1.0
    triplet: float = 1.0
    image_to_text: float = 1.0


@dataclass(frozen=True, slots=True)
class Stage2Loss:
    """The second stage's loss and its parts before weighting, each a scalar."""

    total: Tensor
    identity: Tensor
    triplet: Tensor
    image_to_text: Tensor


def smoothed_cross_entropy(logits: Tensor, labels: Tensor, smoothing: float = 0.1) -> Tensor:
    """Cross entropy of ``(B, C)`` and ``(B,)`` with label smoothing over all C."""
    if len(labels) == 0:
        return _zero(logits)
    return F.cross_entropy(logits.float(), labels, label_smoothing=smoothing)


def batch_hard_triplet(features: Tensor, labels: Tensor, margin: float = 0.3) -> Tensor:
    """Batch-hard triplet loss: the farthest positive against the nearest negative.

    Euclidean distances of raw ``(B, D)``; a sample counts as a positive of itself.
    """
    if len(labels) == 0:
        return _zero(features)
    features = features.float()
    # A matrix product would lose the small distances.
    distances = torch.cdist(features, features, compute_mode="donot_use_mm_for_euclid_dist")
    distances = distances.clamp(min=_TINY_DISTANCE)  # (B, B)
    same = labels[:, None] == labels[None, :]
    positive = distances.masked_fill(~same, -torch.inf).max(dim=1).values
    negative = distances.masked_fill(same, torch.inf).min(dim=1).values
    return F.relu(positive - negative + margin).mean()


def image_to_text_contrast(images: Tensor, texts: Tensor, labels: Tensor) -> Tensor:
    """Stage 1: each image ``(B, D)`` against the texts ``(B, D)`` of all samples' identities.

    ``labels (B,)`` belong to both. All samples of an image's identity are its positives.
    """
    return _contrast(images, texts, labels)


def text_to_image_contrast(images: Tensor, texts: Tensor, labels: Tensor) -> Tensor:
    """Stage 1: each sample's text ``(B, D)`` against all images ``(B, D)``."""
    return _contrast(texts, images, labels)


def stage1_loss(images: Tensor, texts: Tensor, labels: Tensor) -> Tensor:
    """Stage 1: both directions, for images ``(B, D)`` and texts ``(B, D)``."""
    return image_to_text_contrast(images, texts, labels) + text_to_image_contrast(
        images, texts, labels
    )


def image_to_text_cross_entropy(
    features: Tensor, texts: Tensor, labels: Tensor, smoothing: float = 0.1
) -> Tensor:
    """Stage 2: images ``(B, D)`` classified by class texts, by dot product without temperature.

    ``texts`` is ``(C, D)``, or ``(B, C, D)`` if each image has its own texts.
    """
    features, texts = features.float(), texts.float()
    shared = texts.ndim == 2
    logits = features @ texts.T if shared else (texts @ features.unsqueeze(2)).squeeze(2)
    return smoothed_cross_entropy(logits, labels, smoothing)


def stage2_loss(
    scores: Sequence[Tensor],
    features: Sequence[Tensor],
    f_proj: Tensor,
    texts: Sequence[Tensor],
    labels: Tensor,
    weights: Stage2Weights,
    *,
    smoothing: float = 0.1,
    margin: float = 0.3,
) -> Stage2Loss:
    """Stage 2: identity over ``scores``, triplet over ``features``, image-to-text over ``texts``.

    ``scores`` are ``(B, C)`` each, ``features`` ``(B, D)`` each. ``texts`` are those
    that ``f_proj`` is compared with: none (the baseline), the frozen texts ``(C, D)``, those
    adapted to each image ``(B, C, D)``, or both.
    """
    zero = _zero(f_proj)
    identity = sum((smoothed_cross_entropy(s, labels, smoothing) for s in scores), zero)
    triplet = sum((batch_hard_triplet(f, labels, margin) for f in features), zero)
    to_text = sum((image_to_text_cross_entropy(f_proj, t, labels, smoothing) for t in texts), zero)
    total = (
        weights.identity * identity + weights.triplet * triplet + weights.image_to_text * to_text
    )
    return Stage2Loss(total, identity, triplet, to_text)


def cosine_distillation(student: Tensor, teacher: Tensor) -> Tensor:
    """One minus the cosine of each embedding ``(B, D)`` with its teacher's ``(B, D)``.

    Raises ValueError when the two do not have the same shape.
    """
    if student.shape != teacher.shape:
        raise ValueError(
            f"student and teacher must have the same shape, "
            f"got {tuple(student.shape)} and {tuple(teacher.shape)}"
        )
    if len(student) == 0:
        return _zero(student)
    return (1 - F.cosine_similarity(student.float(), teacher.detach().float())).mean()


def similarity_distillation(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference between the student's and the teacher's cosines of all pairs.

    ``(B, D)`` and ``(B, E)``: the embeddings may differ in length.
    """
    if len(student) < 2:
        return _zero(student)
    return F.mse_loss(_pair_cosines(student), _pair_cosines(teacher.detach()))


def neighbour_distillation(student: Tensor, teacher: Tensor, temperature: float = 0.1) -> Tensor:
    """KL(teacher || student) of each sample's softmax over its cosines with all others.

    ``(B, D)`` and ``(B, E)``. Unlike ``similarity_distillation``, which weighs all pairs equally,
    it weighs near pairs most, the more so the lower the temperature.
    """
    if len(student) < 2:
        return _zero(student)
    ours = F.log_softmax(_pair_cosines(student) / temperature, dim=1)
    theirs = F.log_softmax(_pair_cosines(teacher.detach()) / temperature, dim=1)
    return F.kl_div(ours, theirs, reduction="batchmean", log_target=True)


def _contrast(anchors: Tensor, others: Tensor, labels: Tensor) -> Tensor:
    """Mean over anchors of the mean negative log probability of their positives."""
    if len(labels) == 0:
        return _zero(anchors) + _zero(others)
    log_probability = F.log_softmax(anchors.float() @ others.float().T, dim=1)  # (B, B)
    same = (labels[:, None] == labels[None, :]).float()
    return -((same * log_probability).sum(dim=1) / same.sum(dim=1)).mean()


def _pair_cosines(embeddings: Tensor) -> Tensor:
    """Pairwise cosines of ``(B, D)`` without those of a sample with itself: (B, B - 1)."""
    unit = F.normalize(embeddings.float(), dim=1)
    cosines = unit @ unit.T
    others = ~torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    return cosines[others].reshape(len(unit), len(unit) - 1)


def _zero(tensor: Tensor) -> Tensor:
    """A zero that keeps ``tensor`` in the graph, so that ``backward`` works."""
    return tensor.float().sum() * 0.0
