"""FusionSegReID's losses against sums written out."""

import math

import pytest
import torch

from reid_model.training.fusion_losses import (
    intersection_over_union,
    mask_loss,
    part_loss,
    similarity_distribution_matching,
)


def test_sdm_is_the_divergence_in_both_directions() -> None:
    pictures = torch.nn.functional.normalize(torch.tensor([[1.0, 0], [0.6, 0.8], [0, 1]]), dim=1)
    texts = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [0.5, 0.5], [0, 1]]), dim=1)
    labels = [0, 0, 1]
    expected = 0.0
    for a, b in ((pictures, texts), (texts, pictures)):
        for i in range(3):
            cosines = [float(a[i] @ b[j]) / 0.5 for j in range(3)]
            total = sum(math.exp(c) for c in cosines)
            same = [float(labels[i] == labels[j]) for j in range(3)]
            for j in range(3):
                p = math.exp(cosines[j]) / total
                expected += p * (math.log(p) - math.log(same[j] / sum(same) + 1e-8)) / 3
    found = similarity_distribution_matching(pictures, texts, torch.tensor(labels), 0.5)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_unknown_pixels_do_not_count_in_a_mask() -> None:
    logits = torch.tensor([[[[9.0, -9.0, 3.0, 3.0]]]])
    masks = torch.tensor([[[[1.0, 0.0, 0.0, 1.0]]]])
    unknown = torch.tensor([[[[1.0, 0.0, -1.0, -1.0]]]])
    assert float(mask_loss(logits, unknown)) < 0.01
    assert float(mask_loss(logits, masks)) > 1.0


def test_a_batch_without_known_parts_teaches_nothing() -> None:
    logits = torch.zeros(2, 5, 2, 2, requires_grad=True)
    loss = part_loss(logits, torch.full((2, 2, 2), -1))
    loss.backward()
    assert float(loss.detach()) == 0.0
    assert logits.grad is not None
    assert not logits.grad.any()
    right = torch.full((1, 5, 1, 1), -9.0)
    right[0, 3] = 9.0
    three, four = torch.full((1, 1, 1), 3), torch.full((1, 1, 1), 4)
    assert float(part_loss(right, three)) < float(part_loss(right, four))


def test_iou_of_each_picture_and_of_all_pixels() -> None:
    found = torch.tensor([[[True, True, False, False]], [[True, False, False, False]]])
    masks = torch.tensor([[[True, True, True, True]], [[True, False, False, False]]])
    assert intersection_over_union(found, masks) == (0.75, pytest.approx(3 / 5))
    empty = torch.zeros(1, 2, 2, dtype=torch.bool)
    assert intersection_over_union(empty, empty) == (1.0, 0.0)
