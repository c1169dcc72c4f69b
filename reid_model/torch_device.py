"""Arrays to a device of PyTorch and results back. The copies of a GPU go on while we do.

PyTorch keeps pinned memory until its copies are done, and uses it again.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor


def to_device(array: NDArray[np.uint8], device: str) -> "Tensor":
    """``array`` on ``device``: ``cpu``, which shares its memory, or ``cuda:N``."""
    import torch

    tensor = torch.from_numpy(array)
    if torch.device(device).type != "cuda":
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)


def to_host(tensor: "Tensor") -> Callable[[], NDArray[np.float32]]:
    """Begin to copy ``tensor``; what is returned waits for it alone, and can be called often."""
    import torch

    values = tensor.float().contiguous()
    if values.device.type == "cuda":
        pinned = torch.empty(values.shape, dtype=torch.float32, pin_memory=True)
        pinned.copy_(values, non_blocking=True)
        done = torch.cuda.current_stream(values.device).record_event()
    else:
        pinned, done = values, None

    def wait() -> NDArray[np.float32]:
        if done is not None:
            done.synchronize()
        array: NDArray[np.float32] = pinned.numpy()
        return array

    return wait
