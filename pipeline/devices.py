"""The device that the networks run on."""

import re

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
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0
