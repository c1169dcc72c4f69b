"""Detectors on the CPU with OpenVINO: exported once and verified against PyTorch."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
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
from reid_model.atomic_file import move_folder
from reid_model.inference_requests import InferenceRequests, Running
from reid_model.kept_compilation import compile_kept
from reid_model.openvino_runtime import core, import_openvino, read_network

#: Number of compiled networks that are cached, one for each input shape.
_SHAPES = 16


class OpenVinoNetwork:
    """An OpenVINO or ONNX model: one image per request, about ``parallel`` requests at a time.

    Images are never batched, so the detections in one do not depend on the others. A network is
    compiled for each input shape, which is faster than a dynamic one. ``fixed`` is the (height,
    width) of a model that was exported for one size only.
    """

    def __init__(self, path: Path, parallel: int, int8_of: Traits | None = None) -> None:
        """``int8_of`` are the traits of the network of which this is the eight-bit form.

        Raises UserError when the model cannot be read or has no person class.
        """
        try:
            self._network = read_network(path)
        except ValueError as error:
            raise UserError(str(error)) from error
        self.device = "cpu"
        self.traits: Traits = int8_of or exported_traits(path)
        self.precision = "float" if int8_of is None else "int8"
        self.fixed = _fixed_size(self._network)
        self._path = path
        self._parallel = parallel
        self._requests: Callable[[tuple[int, int]], InferenceRequests] = lru_cache(_SHAPES)(
            self._compile
        )

    def start(self, images: Iterable[NDArray[np.uint8]]) -> Iterator[Any]:
        """Start inference; gives the raw output for each padded BGR image ``(h, w, 3)`` uint8, in
        order.

        Inference of an image starts before the next one is read from ``images``, so that their
        preparation overlaps. An output is valid until the next one is requested.
        """
        running = []
        for image in images:
            requests = self._requests((image.shape[0], image.shape[1]))
            running.append(requests.start(image[np.newaxis]))
        return _outputs(running)

    def _compile(self, shape: tuple[int, int]) -> InferenceRequests:
        """The requests for padded images of ``shape`` (height, width)."""
        hints = {"PERFORMANCE_HINT": "THROUGHPUT", "PERFORMANCE_HINT_NUM_REQUESTS": self._parallel}
        if self.precision == "int8":
            # bfloat16 would make what is not in eight bits coarser, and no faster.
            hints["INFERENCE_PRECISION_HINT"] = "f32"
        try:
            compiled = self._compiled(shape, hints)
        except RuntimeError as error:
            raise UserError(
                f"{self._path} does not accept a single image of {shape[0]}x{shape[1]} pixels: "
                "export it again with batch=1 or dynamic=True"
            ) from error
        return InferenceRequests(compiled)

    def _compiled(self, shape: tuple[int, int], hints: dict[str, Any]) -> Any:
        if self._path.suffix != ".xml":
            # Other formats may have files that are not known here.
            return core().compile_model(self._prepared(shape), "CPU", hints)
        files = (self._path, self._path.with_suffix(".bin"), Path(__file__))
        digests = [sha256_of(file) for file in files if file.is_file()]
        depends_on = repr((digests, shape)).encode()
        folder = cache_folder() / "compiled"
        return compile_kept(lambda: self._prepared(shape), hints, depends_on, folder)

    def _prepared(self, shape: tuple[int, int]) -> Any:
        """The network for images of ``shape`` as they are: ``(1, *shape, 3)`` uint8 BGR."""
        openvino = import_openvino()
        steps = openvino.preprocess.PrePostProcessor(self._network.clone())
        colour = openvino.preprocess.ColorFormat
        tensor = steps.input().tensor().set_element_type(openvino.Type.u8)
        tensor.set_layout(openvino.Layout("NHWC")).set_color_format(colour.BGR)
        steps.input().model().set_layout(openvino.Layout("NCHW"))
        scaled = steps.input().preprocess().convert_element_type(openvino.Type.f32)
        scaled.convert_color(colour.RGB).scale(255.0)
        network = steps.build()
        network.reshape([1, *shape, 3])
        return network


def _outputs(started: Sequence[Running]) -> Iterator[Any]:
    """The outputs of what was started, each of which is given back after its output was used."""
    for running in started:
        yield running.wait()
        running.give_back()


def _fixed_size(network: Any) -> tuple[int, int] | None:
    height, width = list(network.input(0).partial_shape)[2:4]
    if height.is_dynamic or width.is_dynamic:
        return None
    return height.get_length(), width.get_length()


def exported(path: Path, image_size: int, make: Callable[[Path, int, Path], Path]) -> Path:
    """The OpenVINO ``.xml`` file of a checkpoint, exported on first use.

    ``make`` takes the checkpoint, the image size and a folder, and returns the file it wrote below
    that folder. The result is cached under a name made of everything it depends on. Several
    processes may export at once: a folder appears complete or not at all.
    """
    root = cache_folder() / "exports"
    versions = "-".join(f"{name}{version(name)}" for name in ("ultralytics", "openvino"))
    final = root / f"{path.stem}-{sha256_of(path)[:16]}-{image_size}-{versions}"
    if not final.is_dir():
        try:
            root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=root, prefix=".export-") as scratch:
                fresh = make(path, image_size, Path(scratch))
                move_folder(fresh.parent, final)
        except OSError as error:
            raise UserError(f"cannot write to the cache {root}: {error.strerror}") from error
    return final / "model.xml"
