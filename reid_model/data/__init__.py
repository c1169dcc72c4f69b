"""Pictures of people for training and evaluation: data set readers, sampler, transforms."""

from collections.abc import Callable
from pathlib import Path

from reid_model.data.cuhk import read_cuhk01, read_cuhk03
from reid_model.data.folder import read_folder
from reid_model.data.market1501 import read_dukemtmc_reid, read_market1501, read_occluded_duke
from reid_model.data.mixed import read_mixed
from reid_model.data.msmt17 import read_msmt17
from reid_model.data.reid_set import ReidImage, ReidSet, class_labels, joined

__all__ = ["READERS", "ReidImage", "ReidSet", "class_labels", "joined"]

#: Name -> function that lists the pictures of the set in a folder. Each raises ValueError when the
#: folder does not hold the set; the message names its source and the expected layout.
READERS: dict[str, Callable[[Path], ReidSet]] = {
    "market1501": read_market1501,
    "msmt17": read_msmt17,
    "dukemtmc-reid": read_dukemtmc_reid,
    "occluded-duke": read_occluded_duke,
    "cuhk03": read_cuhk03,
    "cuhk01": read_cuhk01,
    "mixed": read_mixed,
    "folder": read_folder,
}
