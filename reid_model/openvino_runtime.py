"""OpenVINO without its telemetry; it is imported here only."""

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
    """The ``openvino`` module, with its telemetry disabled.

    Importing OpenVINO, or converting a model, sends a report to a server. If its telemetry package
    cannot be imported, OpenVINO uses a stub, so this makes that import fail.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    return importlib.import_module("openvino")


@cache
def core() -> Any:
    """The only OpenVINO runtime of this process, kept until the process ends.

    Its CPU plugin sets the main thread's signal stack. Of several runtimes, the last to be freed
    restores the stack of one that was freed before, and the next signal, such as Ctrl-C, ends the
    process with a segmentation fault. So the plugin is loaded here, and this is first called in the
    main thread.
    """
    made = import_openvino().Core()
    made.get_property("CPU", "FULL_DEVICE_NAME")
    return made


def read_network(path: Path) -> Any:
    """The OpenVINO model of an ``.xml`` or ``.onnx`` file. Raises ValueError if unreadable."""
    try:
        return core().read_model(path)
    except RuntimeError as error:
        raise ValueError(f"{path} cannot be read as an OpenVINO or ONNX network") from error


def convert_network(network: "nn.Module", height: int, width: int) -> Any:
    """A PyTorch network in eval mode, on the CPU, as an OpenVINO model in memory.

    Its input is ``(N, 3, height, width)`` float32 for any N, its output that of the network.

    Raises ValueError when a weight is NaN or infinite.
    """
    import torch

    # OpenVINO's ReLU turns NaN into 0, so the output would not show it.
    if not all(torch.isfinite(value).all() for value in network.state_dict().values()):
        raise ValueError("the network has weights that are NaN or infinite: its file is damaged")
    example = torch.zeros(2, 3, height, width)
    with warnings.catch_warnings(), torch.no_grad():
        # PyTorch has deprecated tracing, but all supported versions have it.
        warnings.simplefilter("ignore")
        # The converter would trace three more times, to compare the traces.
        traced = torch.jit.trace(network, example, check_trace=False)  # type: ignore[no-untyped-call]
        shape = [-1, 3, height, width]
        return import_openvino().convert_model(traced, example_input=example, input=shape)


def compile_network(network: "nn.Module", height: int, width: int) -> Any:
    """The compiled form of `convert_network`: call it with a batch; the outputs are by index."""
    converted = convert_network(network, height, width)
    return core().compile_model(converted, "CPU", {"PERFORMANCE_HINT": "LATENCY"})
