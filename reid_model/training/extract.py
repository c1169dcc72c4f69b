"""What a network says of many pictures, unchanged ones, without learning from them."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from reid_model.data.dataset import EvaluationPictures
from reid_model.data.reid_set import ReidImage
from reid_model.training.batches import evaluation_transform, loader
from reid_model.training.precision import autocast, placed
from reid_model.training.recipe import Precision

_BATCH = 64


def extract(
    network: Callable[[Tensor], Tensor],
    images: Sequence[ReidImage],
    image_size: tuple[int, int],
    *,
    device: str = "cpu",
    precision: Precision = "float32",
    workers: int = 0,
    tell: Callable[[int, int], None] = lambda done, count: None,
) -> Tensor:
    """``(N, D)`` float32 on the CPU: ``network`` of ``(B, 3, H, W)``, in the order of ``images``.

    The caller has put the network in eval mode. ``tell`` is called with the pictures done so far
    and their number. Raises ValueError when a file is no picture, and for no images at all.
    """
    if not images:
        raise ValueError("there are no pictures to look at")
    pictures = EvaluationPictures(images, evaluation_transform(image_size))
    batches = [
        list(range(start, min(start + _BATCH, len(images))))
        for start in range(0, len(images), _BATCH)
    ]
    found = []
    for batch, pixels in zip(batches, loader(pictures, batches, workers), strict=True):
        with torch.no_grad(), autocast(device, precision):
            found.append(network(placed(pixels, device)).float().cpu())
        tell(batch[-1] + 1, len(images))
    return torch.cat(found)
