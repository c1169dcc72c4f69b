"""ultralytics, without network access and without writing outside the cache."""

import ast
import importlib
import os
import warnings
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from pipeline.errors import UserError
from pipeline.paths import cache_folder
from reid_model.archive_size import check_archive_size
from reid_model.openvino_runtime import import_openvino

_TASKS = ("detect", "segment", "pose")


@dataclass(frozen=True, slots=True)
class Traits:
    """Properties of a detector.

    ``person`` is the index of the person class among ``classes``; the sides of its input must be
    multiples of ``stride``; with ``end_to_end`` its output needs no non-maximum suppression.
    """

    person: int
    classes: int
    stride: int
    end_to_end: bool


@cache
def ultralytics_module(name: str) -> ModuleType:
    """Import ``ultralytics.<name>``, offline, silent, and with its settings in our cache.

    ultralytics reads the environment at import. The variables disable its online check and usage
    reports, automatic installation of packages, log lines, and files in the home folder.
    """
    import_openvino()
    os.environ["YOLO_OFFLINE"] = "true"
    os.environ["YOLO_AUTOINSTALL"] = "false"
    os.environ["YOLO_VERBOSE"] = "false"
    os.environ["YOLO_CONFIG_DIR"] = str(cache_folder() / "ultralytics")
    settings = importlib.import_module("ultralytics.utils").SETTINGS
    if settings["sync"]:
        settings.update(sync=False)
    return importlib.import_module(f"ultralytics.{name}")


def load_checkpoint(path: Path) -> Any:
    """The PyTorch model in a ``.pt`` file, on the CPU.

    A checkpoint is a pickle, which can run arbitrary code when opened. Only known YOLO classes are
    allowed; FUSETRACK_ALLOW_PICKLE=1 removes that restriction for trusted files.

    Raises UserError when the file is damaged, not a YOLO checkpoint, or needs other classes.
    """
    try:
        check_archive_size(path)
    except ValueError as error:
        raise UserError(str(error)) from None
    tasks: Any = ultralytics_module("nn.tasks")
    tasks.SAFE_LOAD = os.environ.get("FUSETRACK_ALLOW_PICKLE") != "1"
    try:
        return tasks.load_checkpoint(path)[0]
    except (TypeError, ImportError) as error:
        refused = isinstance(error, ImportError) or "types outside" in str(error)
        if tasks.SAFE_LOAD and refused and zipfile.is_zipfile(path):
            raise UserError(
                f"{path} is a pickle that runs code which is not part of YOLO. If you trust its "
                "origin, set FUSETRACK_ALLOW_PICKLE=1"
            ) from error
        raise _not_a_checkpoint(path) from error
    except (RuntimeError, KeyError, AttributeError, ValueError, OSError) as error:
        raise _not_a_checkpoint(path) from error


def _not_a_checkpoint(path: Path) -> UserError:
    return UserError(
        f"{path} is damaged or not a YOLO checkpoint: expected a .pt file of ultralytics"
    )


def checkpoint_traits(model: Any, path: Path) -> Traits:
    """The traits of a loaded checkpoint. Raises UserError when it cannot detect people."""
    if type(model).__name__.startswith("RTDETR"):
        raise UserError(f"{path} is an RT-DETR model: expected a YOLO model")
    stride = max(int(model.stride.max()), 32)
    return _traits(model.names, model.task, stride, bool(model.end2end), path)


def exported_traits(path: Path) -> Traits:
    """The traits that ultralytics stored in an exported model.

    Raises UserError when there are none, or when the model cannot detect people.
    """
    metadata = _metadata(path)
    if not {"names", "task", "stride"} <= metadata.keys():
        raise UserError(f"{path} has no class names: expected a model exported by ultralytics")
    if metadata.get("head") == "RTDETRDecoder":
        raise UserError(f"{path} is an RT-DETR model: expected a YOLO model")
    names, options = _value(metadata["names"]), _value(metadata.get("args", {}))
    end_to_end = bool(_value(metadata.get("end2end", False)) or options.get("nms"))
    return _traits(names, metadata["task"], int(metadata["stride"]), end_to_end, path)


def _metadata(path: Path) -> dict[str, Any]:
    if path.suffix.lower() != ".xml":
        found: dict[str, Any] = ultralytics_module("nn.backends.base").BaseBackend.read_metadata(
            path
        )
        return found
    # Read here, because ultralytics takes seconds to import.
    try:
        values = yaml.safe_load(path.with_name("metadata.yaml").read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return values if isinstance(values, dict) else {}


def _value(written: Any) -> Any:
    """A value of the metadata, which some formats store as a Python literal."""
    return ast.literal_eval(written) if isinstance(written, str) else written


def _traits(names: dict[int, str], task: str, stride: int, end_to_end: bool, path: Path) -> Traits:
    if task not in _TASKS:
        raise UserError(f"{path} is a model for {task}: expected one for {', '.join(_TASKS)}")
    person = next((index for index, name in names.items() if name.lower() == "person"), None)
    if person is None:
        known = ", ".join(list(names.values())[:5])
        raise UserError(f"{path} has no class 'person' (only {known}, ...): use another model")
    return Traits(person, len(names), stride, end_to_end)


def export_openvino(model: Any, folder: Path, image_size: int) -> Path:
    """Export a checkpoint for images of any size; returns the ``.xml`` file below ``folder``.

    Raises UserError when it cannot be exported.
    """
    exporter = ultralytics_module("engine.exporter").Exporter
    model.pt_path = str(folder / "model.pt")
    options = {"format": "openvino", "imgsz": image_size, "dynamic": True, "batch": 1}
    try:
        with warnings.catch_warnings():
            # The exporter uses a tracing function that PyTorch has deprecated.
            warnings.simplefilter("ignore")
            made: str = exporter(overrides={**options, "device": "cpu"})(model=model)
    except (RuntimeError, AssertionError, ValueError, TypeError, LookupError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"the detector cannot be exported to OpenVINO: {reason}. Set its backend to torch"
        ) from error
    return Path(made) / "model.xml"


def sample_image() -> NDArray[np.uint8]:
    """A street with four people, shipped with ultralytics: ``(H, W, 3)`` uint8 BGR."""
    import cv2

    image = cv2.imread(str(ultralytics_module("utils").ASSETS / "bus.jpg"))
    return np.asarray(image, np.uint8)
