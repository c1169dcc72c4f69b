"""Detectors on the CPU: exported once, checked against PyTorch, run by OpenVINO."""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.detector.yolo import Traits, exported_traits
from pipeline.errors import UserError
from pipeline.paths import cache_folder
from pipeline.weights.store import sha256_of
from reid_model.openvino_runtime import core, import_openvino, read_network

#: Compiled networks kept, one for each shape of padded picture.
_SHAPES = 16


class OpenVinoNetwork:
    """An OpenVINO or ONNX model, one picture a request, ``parallel`` requests at a time.

    A picture is never part of a batch, so what is found in it does not depend on its neighbours;
    and for each shape a network is compiled that knows its shape, which is faster than one for
    any shape. ``fixed`` is the (height, width) of a model that was exported for one size only.
    """

    def __init__(self, path: Path, parallel: int) -> None:
        """Raises UserError when the model cannot be read or finds no persons."""
        try:
            self._network = read_network(path)
        except ValueError as error:
            raise UserError(str(error)) from error
        self.device = "cpu"
        self.traits: Traits = exported_traits(path)
        self.fixed = _fixed_size(self._network)
        self._path = path
        self._parallel = parallel
        self._requests: Callable[[tuple[int, int]], list[Any]] = lru_cache(_SHAPES)(self._compile)

    def run(self, images: Iterable[NDArray[np.uint8]]) -> Iterator[Any]:
        """The raw output of each padded BGR picture ``(h, w, 3)``, in order.

        A picture is started before the next one is taken from ``images``, so its preparation
        costs nothing. An output is valid until the next one is asked for.
        """
        import torch

        running: list[Any] = []
        busy: dict[tuple[int, int], int] = {}
        for image in images:
            shape = image.shape[0], image.shape[1]
            turn = busy.get(shape, 0)
            busy[shape] = turn + 1
            request = self._requests(shape)[turn]
            request.start_async([image[np.newaxis]])
            running.append(request)
        for request in running:
            request.wait()
            yield torch.from_numpy(request.get_output_tensor(0).data)

    def _compile(self, shape: tuple[int, int]) -> list[Any]:
        """As many requests for padded pictures of ``shape`` as may run at a time."""
        openvino = import_openvino()
        steps = openvino.preprocess.PrePostProcessor(self._network.clone())
        colour = openvino.preprocess.ColorFormat
        tensor = steps.input().tensor().set_element_type(openvino.Type.u8)
        tensor.set_layout(openvino.Layout("NHWC")).set_color_format(colour.BGR)
        steps.input().model().set_layout(openvino.Layout("NCHW"))
        scaled = steps.input().preprocess().convert_element_type(openvino.Type.f32)
        scaled.convert_color(colour.RGB).scale(255.0)
        hints = {"PERFORMANCE_HINT": "THROUGHPUT", "PERFORMANCE_HINT_NUM_REQUESTS": self._parallel}
        try:
            network = steps.build()
            network.reshape([1, *shape, 3])
            compiled = core().compile_model(network, "CPU", hints)
        except RuntimeError as error:
            raise UserError(
                f"{self._path} does not take one picture of {shape[0]}x{shape[1]} pixels: export "
                f"it again with batch=1, or dynamic=True"
            ) from error
        return [compiled.create_infer_request() for _ in range(self._parallel)]


def _fixed_size(network: Any) -> tuple[int, int] | None:
    height, width = list(network.input(0).partial_shape)[2:4]
    if height.is_dynamic or width.is_dynamic:
        return None
    return height.get_length(), width.get_length()


def exported(path: Path, image_size: int, make: Callable[[Path, int, Path], Path]) -> Path:
    """The ``.xml`` file of a checkpoint, made on first use.

    ``make`` takes the checkpoint, the image size and a folder, and returns the file it made below
    that folder. The result is kept in the cache under everything it depends on. Two processes may
    export at once: a folder appears complete or not at all.
    """
    root = cache_folder() / "exports"
    versions = "-".join(f"{name}{version(name)}" for name in ("ultralytics", "openvino"))
    final = root / f"{path.stem}-{sha256_of(path)[:16]}-{image_size}-{versions}"
    if not final.is_dir():
        try:
            root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=root, prefix=".export-") as scratch:
                fresh = make(path, image_size, Path(scratch))
                _keep(fresh.parent, final)
        except OSError as error:
            raise UserError(f"cannot write to the cache {root}: {error.strerror}") from error
    return final / "model.xml"


def _keep(folder: Path, final: Path) -> None:
    try:
        folder.rename(final)
    except OSError:
        # Another process has kept the same export a moment earlier.
        if not final.is_dir():
            raise
