import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from person_masks import PersonMasker
from pipeline.errors import UserError
from pipeline.weights import weights_path
from reid_model.data.person_masks import PERSON, SIZE


def installed(name: str) -> bool:
    try:
        weights_path(name)
    except UserError:
        return False
    return True


def test_both_networks_find_the_person_of_a_crop() -> None:
    """Real weights and a real crop, where they are there."""
    data = os.environ.get("FUSETRACK_DATA")
    if data is None or not all(map(installed, ("yolo26n-seg", "blazepose-heavy"))):
        pytest.skip("needs FUSETRACK_DATA, and yolo26n-seg and blazepose-heavy in the cache")
    path = Path(data) / "reid" / "cuhk03" / "val" / "0001_01.webp"
    crop = np.asarray(cv2.imread(str(path)), np.uint8)
    found = PersonMasker()(["one", "nobody"], [crop, np.full((128, 64, 3), 120, np.uint8)])
    assert found.trusted.tolist() == [True, False]
    assert found.masks[0][SIZE[0] // 2, SIZE[1] // 2] == PERSON
    nose, hips = found.joints[0, 0], found.joints[0, [23, 24]]
    assert nose[2] > 0.5
    assert nose[1] < hips[:, 1].min()
