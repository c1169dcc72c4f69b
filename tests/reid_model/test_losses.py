"""The losses against loops, and for batches without samples or pairs."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from reid_model.losses import (
    Stage2Weights,
    batch_hard_triplet,
    cosine_distillation,
    image_to_text_contrast,
    image_to_text_cross_entropy,
    neighbour_distillation,
    similarity_distillation,
    smoothed_cross_entropy,
    stage1_loss,
    stage2_loss,
    text_to_image_contrast,
)

LABELS = torch.tensor([0, 2, 0, 1, 2, 0, 3])
NO_LABELS = torch.zeros(0, dtype=torch.long)


def vectors(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def softmax(row: list[float]) -> list[float]:
    total = sum(math.exp(value - max(row)) for value in row)
    return [math.exp(value - max(row)) / total for value in row]


def dot(a: Tensor, b: Tensor) -> float:
    return sum(x * y for x, y in zip(a.tolist(), b.tolist(), strict=True))


def cosine(a: Tensor, b: Tensor) -> float:
    return dot(a, b) / math.sqrt(dot(a, a) * dot(b, b))


def looped_cross_entropy(logits: Tensor, labels: Tensor, smoothing: float) -> float:
    losses = []
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        target = [smoothing / len(row) + (1 - smoothing) * (k == label) for k in range(len(row))]
        losses.append(-sum(q * math.log(p) for q, p in zip(target, softmax(row), strict=True)))
    return mean(losses)


def looped_triplet(features: Tensor, labels: list[int], margin: float) -> float:
    losses = []
    for a, label in zip(features, labels, strict=True):
        far = [math.sqrt(max(1e-12, dot(a - b, a - b))) for b in features]
        hardest = max(d for d, other in zip(far, labels, strict=True) if other == label)
        nearest = min(d for d, other in zip(far, labels, strict=True) if other != label)
        losses.append(max(0.0, hardest - nearest + margin))
    return mean(losses)


def looped_contrast(anchors: Tensor, others: Tensor, labels: list[int]) -> float:
    losses = []
    for anchor, label in zip(anchors, labels, strict=True):
        chances = softmax([dot(anchor, other) for other in others])
        positives = [p for p, other in zip(chances, labels, strict=True) if other == label]
        losses.append(-mean([math.log(p) for p in positives]))
    return mean(losses)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_smoothed_cross_entropy(smoothing: float) -> None:
    logits = vectors(7, 4)
    expected = looped_cross_entropy(logits, LABELS, smoothing)
    assert float(smoothed_cross_entropy(logits, LABELS, smoothing)) == pytest.approx(expected)


@pytest.mark.parametrize("margin", [0.0, 0.3, 5.0])
def test_batch_hard_triplet(margin: float) -> None:
    features = vectors(7, 3)
    expected = looped_triplet(features, LABELS.tolist(), margin)
    assert expected > 0
    assert float(batch_hard_triplet(features, LABELS, margin)) == pytest.approx(expected, rel=1e-5)


def test_triplet_at_its_margin_by_hand() -> None:
    labels = torch.tensor([0, 0, 1, 1])
    # Two people, two places each, 1 apart; the people are as far apart as ``gap``.
    places = [torch.tensor([[0.0], [1.0], [1 + gap], [2 + gap]]) for gap in (1.25, 1.5, 1.0)]
    losses = [float(batch_hard_triplet(place, labels, 0.25)) for place in places]
    # The gap matters for the inner two only, half of the batch.
    assert losses == pytest.approx([0, 0, 0.125])


def test_triplet_of_equal_features_has_the_margin_and_a_finite_gradient() -> None:
    features = torch.ones(4, 3, requires_grad=True)
    loss = batch_hard_triplet(features, torch.tensor([0, 0, 1, 1]))
    loss.backward()
    assert loss.item() == pytest.approx(0.3)
    assert torch.isfinite(features.grad).all()


def test_triplet_keeps_small_distances_between_large_features() -> None:
    features = 1000 + vectors(7, 50) / 1000
    expected = looped_triplet(features.double(), LABELS.tolist(), 0.01)
    assert expected > 0.005
    found = batch_hard_triplet(features, LABELS, 0.01)
    assert float(found) == pytest.approx(expected, rel=1e-3)


def test_triplet_has_no_distance_of_zero() -> None:
    features = torch.tensor([[0.0], [0.5]])
    # Each is its own hardest positive, a millionth away: 1e-12 squared.
    loss = batch_hard_triplet(features, torch.tensor([0, 1]), margin=0.5)
    assert float(loss) == pytest.approx(1e-6, rel=0.1)


def test_triplet_pulls_together_and_pushes_apart() -> None:
    features = torch.tensor([[0.0], [1.0], [1.1]], requires_grad=True)
    batch_hard_triplet(features, torch.tensor([0, 0, 1])).backward()
    # The first two are pulled together, the third is pushed upwards.
    assert features.grad[0, 0] < 0
    assert features.grad[1, 0] > 0
    assert features.grad[2, 0] < 0


def test_stage_1_with_several_samples_of_a_person() -> None:
    images, texts = vectors(7, 3, seed=1), vectors(4, 3, seed=2)[LABELS]
    labels = LABELS.tolist()
    to_text = looped_contrast(images, texts, labels)
    to_image = looped_contrast(texts, images, labels)
    assert float(image_to_text_contrast(images, texts, LABELS)) == pytest.approx(to_text)
    assert float(text_to_image_contrast(images, texts, LABELS)) == pytest.approx(to_image)
    assert to_text != pytest.approx(to_image)
    assert float(stage1_loss(images, texts, LABELS)) == pytest.approx(to_text + to_image)


def test_image_to_text_cross_entropy_with_shared_and_own_texts() -> None:
    features, shared, own = vectors(7, 3), vectors(4, 3, seed=1), vectors(7, 4, 3, seed=2)
    logits = torch.tensor([[dot(f, t) for t in shared] for f in features])
    expected = looped_cross_entropy(logits, LABELS, 0.1)
    found = image_to_text_cross_entropy(features, shared, LABELS)
    assert float(found) == pytest.approx(expected)
    repeated = image_to_text_cross_entropy(features, shared.expand(7, -1, -1), LABELS)
    assert float(repeated) == pytest.approx(expected)
    logits = torch.tensor([[dot(f, t) for t in ts] for f, ts in zip(features, own, strict=True)])
    expected = looped_cross_entropy(logits, LABELS, 0.1)
    assert float(image_to_text_cross_entropy(features, own, LABELS)) == pytest.approx(expected)


@pytest.mark.parametrize("texts", [[], [vectors(4, 3, seed=1)], [vectors(4, 3), vectors(7, 4, 3)]])
def test_stage_2_is_the_weighted_sum(texts: list[Tensor]) -> None:
    scores = [vectors(7, 4, seed=3), vectors(7, 4, seed=4)]
    features = [vectors(7, size, seed=size) for size in (5, 6, 3)]
    f_proj = features[-1]
    found = stage2_loss(scores, features, f_proj, texts, LABELS, Stage2Weights(0.25, 2.0, 3.0))
    identity = sum(float(smoothed_cross_entropy(s, LABELS, 0.1)) for s in scores)
    triplet = sum(float(batch_hard_triplet(f, LABELS, 0.3)) for f in features)
    to_text = sum(float(image_to_text_cross_entropy(f_proj, t, LABELS, 0.1)) for t in texts)
    assert float(found.identity) == pytest.approx(identity)
    assert float(found.triplet) == pytest.approx(triplet)
    assert float(found.image_to_text) == pytest.approx(to_text)
    assert float(found.total) == pytest.approx(0.25 * identity + 2 * triplet + 3 * to_text)
    plain = stage2_loss(scores, features, f_proj, texts, LABELS, Stage2Weights())
    assert float(plain.total) == pytest.approx(identity + triplet + to_text)


def test_cosine_distillation() -> None:
    student, teacher = vectors(5, 3), vectors(5, 3, seed=1)
    expected = mean([1 - cosine(a, b) for a, b in zip(student, teacher, strict=True)])
    assert float(cosine_distillation(student, teacher)) == pytest.approx(expected)
    assert float(cosine_distillation(3 * teacher, teacher)) == pytest.approx(0, abs=1e-6)


def test_cosine_distillation_refuses_other_lengths() -> None:
    with pytest.raises(ValueError, match=r"the same shape, got \(5, 3\) and \(5, 4\)"):
        cosine_distillation(vectors(5, 3), vectors(5, 4))


def test_similarity_distillation() -> None:
    student, teacher = vectors(5, 3), vectors(5, 8, seed=1)
    pairs = [(i, j) for i in range(5) for j in range(5) if i != j]
    gaps = [cosine(student[i], student[j]) - cosine(teacher[i], teacher[j]) for i, j in pairs]
    expected = mean([gap**2 for gap in gaps])
    assert float(similarity_distillation(student, teacher)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_neighbour_distillation(temperature: float) -> None:
    student, teacher = vectors(5, 3), vectors(5, 8, seed=1)
    losses = []
    for i in range(5):
        others = [j for j in range(5) if j != i]
        ours = softmax([cosine(student[i], student[j]) / temperature for j in others])
        theirs = softmax([cosine(teacher[i], teacher[j]) / temperature for j in others])
        losses.append(sum(t * math.log(t / o) for t, o in zip(theirs, ours, strict=True)))
    found = neighbour_distillation(student, teacher, temperature)
    assert float(found) == pytest.approx(mean(losses), rel=1e-4)


@pytest.mark.parametrize("loss", [similarity_distillation, neighbour_distillation])
def test_a_rotated_copy_of_the_teacher_has_no_loss(loss: Callable[..., Tensor]) -> None:
    teacher = vectors(5, 4)
    turn = torch.linalg.qr(vectors(4, 4, seed=1)).Q
    assert float(loss(2 * teacher @ turn, teacher)) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(
    "loss", [cosine_distillation, similarity_distillation, neighbour_distillation]
)
def test_the_student_gets_a_gradient_and_the_teacher_does_not(loss: Callable[..., Tensor]) -> None:
    student, teacher = vectors(5, 4).requires_grad_(), vectors(5, 4, seed=1).requires_grad_()
    loss(student, teacher).backward()
    assert student.grad.abs().max() > 0
    assert teacher.grad is None


def logits_loss(features: Tensor, labels: Tensor) -> Tensor:
    return smoothed_cross_entropy(features, labels)


def contrast(features: Tensor, labels: Tensor) -> Tensor:
    return stage1_loss(features, features, labels)


def to_text(features: Tensor, labels: Tensor) -> Tensor:
    return image_to_text_cross_entropy(features, torch.ones(4, 3), labels)


def whole(features: Tensor, labels: Tensor) -> Tensor:
    texts = [torch.ones(4, 3), torch.ones(len(features), 4, 3)]
    return stage2_loss([features], [features], features, texts, labels, Stage2Weights()).total


def distillation(features: Tensor, _: Tensor) -> Tensor:
    teacher = torch.ones_like(features)
    return (
        cosine_distillation(features, teacher)
        + similarity_distillation(features, teacher)
        + neighbour_distillation(features, teacher)
    )


@pytest.mark.parametrize(
    "loss", [logits_loss, batch_hard_triplet, contrast, to_text, whole, distillation]
)
def test_no_samples_have_no_loss(loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    features = torch.zeros(0, 3, requires_grad=True)
    value = loss(features, NO_LABELS)
    value.backward()
    assert (value.item(), value.shape) == (0, ())


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("margin", [0.0, 0.3])
def test_triplet_of_one_identity_has_no_loss(count: int, margin: float) -> None:
    features = vectors(count, 3).requires_grad_()
    loss = batch_hard_triplet(features, torch.zeros(count, dtype=torch.long), margin)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(features.grad, torch.zeros(count, 3))


def test_contrast_of_one_identity_is_that_of_a_uniform_guess() -> None:
    same = vectors(1, 3).expand(4, -1)
    labels = torch.zeros(4, dtype=torch.long)
    assert float(stage1_loss(same, same, labels)) == pytest.approx(2 * math.log(4))
    assert float(stage1_loss(same[:1], same[:1], labels[:1])) == pytest.approx(0)


@pytest.mark.parametrize("loss", [similarity_distillation, neighbour_distillation])
def test_one_sample_has_no_pairs(loss: Callable[..., Tensor]) -> None:
    student = vectors(1, 3).requires_grad_()
    value = loss(student, vectors(1, 5))
    value.backward()
    assert value.item() == 0
    assert torch.equal(student.grad, torch.zeros(1, 3))


def test_half_precision_features_are_compared_in_full_precision() -> None:
    features = vectors(7, 3).bfloat16()
    loss = batch_hard_triplet(features, LABELS)
    assert loss.dtype == torch.float32
    assert loss.item() == float(batch_hard_triplet(features.float(), LABELS))
