"""Composed pictures with their maps and masks."""

from pathlib import Path

import cv2
import numpy as np
import torch

from reid_model.data.composed_pictures import LabelledPictures, Shares
from reid_model.data.person_masks import PersonMasks
from reid_model.networks.fused import FusedModel
from reid_model.networks.omni_scale import OmniScale
from reid_model.training.fusion_scenes import keep_scenes, part_of_cells


def test_a_place_is_the_part_of_most_of_its_pixels() -> None:
    parts = np.zeros((256, 128), np.int8)
    parts[:16, :10] = 2
    parts[16:32, :9] = -1
    parts[32:48, :16] = 4
    parts[32:48, :7] = -1
    found = part_of_cells(parts)
    assert found.shape == (16, 8)
    assert found[:4, 0].tolist() == [2, -1, 4, 0]
    assert not found[:, 1:].any()


def pictures(folder: Path) -> LabelledPictures:
    """Two pictures of somebody in the middle, and one that is not trusted."""
    random = np.random.default_rng(3)
    masks = np.zeros((3, 128, 64), np.int8)
    masks[:, 10:120, 16:48] = 1
    for name in ("a.png", "b.png", "c.png"):
        cv2.imwrite(str(folder / name), random.integers(0, 256, (128, 64, 3)).astype(np.uint8))
    joints = np.zeros((3, 33, 3), np.float32)
    overlaps = np.array([1.0, 0.9, 0.2], np.float32)
    return LabelledPictures(
        folder, PersonMasks(("a.png", "b.png", "c.png"), masks, overlaps, joints)
    )


@torch.no_grad()
def test_scenes_are_kept_with_their_maps(tmp_path: Path) -> None:
    torch.manual_seed(0)
    encoder = OmniScale(16, 16, (256, 128))
    trunk = FusedModel(encoder, 1, mscsa_modules=0, embedding="projected").deploy().eval().trunk
    known = pictures(tmp_path)
    told: list[tuple[int, int]] = []
    unchanged = Shares(0.0, 0.0, 0.0, 0.0)
    numbers = np.array([7, 5])
    scenes = keep_scenes(
        tmp_path / "maps",
        trunk,
        known,
        [0, 1],
        numbers,
        1,
        unchanged,
        tell=lambda done, count: told.append((done, count)),
    )
    assert told == [(2, 2)]
    assert scenes.pictures.tolist() == [7, 5]
    assert scenes.masks.shape == (2, 128, 64)
    assert scenes.parts.shape == (2, 16, 8)
    assert set(np.unique(scenes.masks)) <= {-1, 0, 1}
    assert scenes.first.read([0], [1]).shape == (1, 64, 32, 16)
    assert scenes.second.read([0], [1]).isfinite().all()
    again = keep_scenes(tmp_path / "more", trunk, known, [0, 1], numbers, 1, unchanged)
    assert np.array_equal(again.masks, scenes.masks)
    torch.testing.assert_close(again.second.read([0], [0]), scenes.second.read([0], [0]))
    hidden = keep_scenes(
        tmp_path / "hidden", trunk, known, [0, 1], numbers, 1, Shares(0.0, 1.0, 0.0, 0.0)
    )
    assert (hidden.masks == 1).sum() < (scenes.masks == 1).sum()
