"""OpenVINO without its telemetry: the only door through which it is imported."""

import importlib
import sys
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


def read_network(path: Path) -> Any:
    """The OpenVINO model in an ``.xml`` or ``.onnx`` file. Raises ValueError when unreadable."""
    core = import_openvino().Core()
    try:
        return core.read_model(path)
    except RuntimeError as error:
        raise ValueError(f"{path} cannot be read as an OpenVINO or ONNX network") from error
