"""OpenVINO without its telemetry: the only door through which it is imported."""

import importlib
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any


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
