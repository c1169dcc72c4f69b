"""Comparing people by the parts that both show."""

import torch
from torch.nn import functional as F

from reid_model.networks.body_parts import part_distances, part_masks, visibilities


def test_only_parts_that_both_show_count() -> None:
    query = F.normalize(torch.tensor([[[1.0, 0], [1, 0], [1, 0], [1, 0]]]), dim=2)
    gallery = F.normalize(torch.tensor([[[1.0, 0], [0, 1], [0, 1], [1, 1]]]), dim=2)
    seen = torch.tensor([[1.0, 1.0, 0.0, 0.0]])
    assert part_distances(query, gallery, seen, torch.ones(1, 4)).tolist() == [[0.5]]
    assert part_distances(query, gallery, seen, torch.tensor([[1.0, 0, 1, 1]])).tolist() == [[0.0]]
    assert part_distances(query, gallery, seen, torch.tensor([[0.0, 0, 1, 1]])).tolist() == [[1.0]]


def test_a_part_is_as_visible_as_its_clearest_pixel() -> None:
    logits = torch.zeros(1, 5, 2, 1)
    logits[0, 2, 1, 0] = 50.0
    found = visibilities(part_masks(logits))
    torch.testing.assert_close(found, torch.tensor([[0.2, 1.0, 0.2, 0.2]]))
