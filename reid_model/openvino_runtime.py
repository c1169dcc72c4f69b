"""OpenVINO without its telemetry: the only door through which it is imported."""

import importlib
import sys
import warnings
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


def import_openvino() -> ModuleType:
    """The ``openvino`` module, which then sends nothing.

    Importing OpenVINO, and converting a model, reports to a server. Where the reporting package
    cannot be imported it uses a stub of its own, so this makes the import fail.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    return importlib.import_module("openvino")


@cache
def core() -> Any:
    """The one OpenVINO runtime of this process, which lives as long as the process.

    Its CPU plugin lends the main thread a stack for signals. Of several runtimes, the one that
    goes last gives back the stack of one that is gone already, and the next signal, a Ctrl-C for
    instance, ends the process with a segmentation fault.
    """
    return import_openvino().Core()


def read_network(path: Path) -> Any:
    """The OpenVINO model in an ``.xml`` or ``.onnx`` file. Raises ValueError when unreadable."""
    try:
        return core().read_model(path)
    except RuntimeError as error:
        raise ValueError(f"{path} cannot be read as an OpenVINO or ONNX network") from error


def convert_network(network: "nn.Module", height: int, width: int) -> Any:
    """A PyTorch network in eval mode, on the CPU, as an OpenVINO model in memory, for any number
    of pictures: ``(N, 3, height, width)`` float32 in, as the network has it out.

    Raises ValueError when a weight is NaN or infinite.
    """
    import torch

    # OpenVINO's ReLU makes 0 of NaN, so what comes out would not tell.
    if not all(torch.isfinite(value).all() for value in network.state_dict().values()):
        raise ValueError("the network has weights that are NaN or infinite: its file is damaged")
    example = torch.zeros(2, 3, height, width)
    with warnings.catch_warnings(), torch.no_grad():
        # PyTorch has deprecated tracing, but it is the way that every version here knows.
        warnings.simplefilter("ignore")
        # Left to itself the converter traces three times more, to compare the traces.
        traced = torch.jit.trace(network, example, check_trace=False)  # type: ignore[no-untyped-call]
        shape = [-1, 3, height, width]
        return import_openvino().convert_model(traced, example_input=example, input=shape)
