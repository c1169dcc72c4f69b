"""The device that the networks run on."""

import ctypes
import re
import sys
from pathlib import Path

from pipeline.errors import UserError


def resolve_device(name: str) -> str:
    """Resolve auto, cpu, cuda or cuda:N to ``cpu`` or ``cuda:N``.

    ``auto`` is the first CUDA device, or the CPU if there is none. Raises UserError for any other
    name and for a CUDA device that this machine does not have.
    """
    if name == "cpu":
        return name
    wanted = re.fullmatch(r"cuda(?::(\d+))?", name)
    if name != "auto" and wanted is None:
        raise UserError(f"unknown device {name!r}: expected auto, cpu, cuda or cuda:N")
    count = _cuda_devices()
    if wanted is None:
        return "cuda:0" if count else "cpu"
    index = int(wanted[1] or 0)
    if index < count:
        return f"cuda:{index}"
    raise UserError(
        f"device {name} is not available: PyTorch finds {count} CUDA devices. Use device auto or "
        "cpu"
    )


def _cuda_devices() -> int:
    if not _has_driver():
        return 0
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _has_driver() -> bool:
    """Whether a GPU's driver is installed; PyTorch takes seconds to tell that it is not."""
    if Path("/dev/kfd").exists():  # AMD's, whose GPUs PyTorch calls cuda too
        return True
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True
