"""How surely the parts of a body are seen."""

import torch

from reid_model.networks.body_parts import part_masks, visibilities


def test_a_part_is_as_visible_as_its_clearest_pixel() -> None:
    logits = torch.zeros(1, 5, 2, 1)
    logits[0, 2, 1, 0] = 50.0
    found = visibilities(part_masks(logits))
    torch.testing.assert_close(found, torch.tensor([[0.2, 1.0, 0.2, 0.2]]))
