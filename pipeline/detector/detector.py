"""The person detector: pictures in, boxes of people out."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema import DetectorConfig
from pipeline.detector.inference import (
    CLOSE,
    DetectorNetwork,
    disagreement,
    find_people,
    start_search,
)
from pipeline.detector.int8 import gains, int8_form, is_chosen
from pipeline.detector.openvino_network import OpenVinoNetwork, exported
from pipeline.detector.torch_network import TorchNetwork
from pipeline.detector.yolo import export_openvino, load_checkpoint, sample_image
from pipeline.errors import UserError
from pipeline.sources.picture import BgrPicture
from pipeline.sources.source import FramePicture
from pipeline.weights import weights_path
from trackers.detections import Detections

_FORMATS = {".pt": "torch", ".xml": "openvino", ".onnx": "onnx", ".engine": "tensorrt"}

#: Minimum score of detections when an export is compared with its checkpoint.
_CHECK_SCORE = 0.1


class Detector:
    """A YOLO model that detects people only. Not thread-safe.

    ``backend`` is what runs it (torch, openvino, onnx or tensorrt), ``device`` where: ``cpu`` or
    ``cuda:N``. OpenVINO and ONNX models run on the CPU, whatever the device. ``precision`` is int8
    or float.
    """

    def __init__(self, config: DetectorConfig, device: str) -> None:
        """``device`` is ``cpu`` or ``cuda:N``, as returned by ``resolve_device``.

        The first use of a checkpoint on the CPU exports it to OpenVINO, which takes seconds, and
        compares the detections of both. If fusetrack has an eight-bit form of it, the faster of the
        two on this processor is used from then on, unless the configuration names one.

        Raises UserError for an unknown name, a missing or damaged file, a file that does not fit
        the backend, a model without a person class, an export with different detections, and int8
        where there is no such form.
        """
        path = _model_file(weights_path(config.model, kind="detector"))
        self._config = config
        self.backend = _backend(path, config.backend, device)
        self._network = _open(path, self.backend, device, config)
        self.device = self._network.device
        self.precision = getattr(self._network, "precision", "float")

    def detect(self, pictures: Sequence[FramePicture | NDArray[np.uint8]]) -> list[Detections]:
        """The people in pictures or BGR images ``(H, W, 3)`` uint8 of any sizes, best first.

        Boxes are xyxy in pixels, clipped to the image.
        """
        found: list[Detections] = []
        for begin in range(0, len(pictures), self._config.batch):
            found += self.start(pictures[begin : begin + self._config.batch])()
        return found

    def prepare(self, shapes: Collection[tuple[int, int]]) -> None:
        """Compile for pictures of these (height, width), for which the first ones would wait.

        A side of 0 is one that is not known.
        """
        self.detect([np.zeros((*shape, 3), np.uint8) for shape in sorted(shapes) if all(shape)])

    def start(
        self, pictures: Sequence[FramePicture | NDArray[np.uint8]]
    ) -> Callable[[], list[Detections]]:
        """Begin to detect; what is returned waits for the result of `detect`, and can be called
        once. Several may be under way at a time.
        """
        several = [_picture(one) for one in pictures]
        size, score = self._config.image_size, self._config.min_score
        return start_search(self._network, several, size, score)


def _picture(image: FramePicture | NDArray[np.uint8]) -> FramePicture:
    return BgrPicture(image) if isinstance(image, np.ndarray) else image


def _model_file(path: Path) -> Path:
    """The file to open; in a folder, its only ``.xml`` file."""
    if not path.is_dir():
        return path
    inside = sorted(path.glob("*.xml"))
    if len(inside) != 1:
        raise UserError(f"{path} is not an OpenVINO model: expected one .xml file in the folder")
    return inside[0]


def _backend(path: Path, wanted: str, device: str) -> str:
    own = _FORMATS.get(path.suffix.lower())
    if own is None:
        raise UserError(
            f"{path} is not a detector: expected a .pt, .onnx or .engine file or an OpenVINO folder"
        )
    if wanted == "auto":
        return "openvino" if own == "torch" and device == "cpu" else own
    if wanted == own or (wanted, own) == ("openvino", "torch"):
        return wanted
    raise UserError(
        f"backend {wanted} cannot run {path}, a model for {own}: set the backend to auto, or "
        f"export the model for {wanted}"
    )


def _open(path: Path, backend: str, device: str, config: DetectorConfig) -> DetectorNetwork:
    is_checkpoint = path.suffix.lower() == ".pt"
    if config.precision == "int8" and not (is_checkpoint and backend == "openvino"):
        raise _no_int8(path)
    if backend == "torch":
        return TorchNetwork(load_checkpoint(path), path, device)
    if backend == "tensorrt":
        return TorchNetwork(None, path, device)
    return _open_export(path, config) if is_checkpoint else OpenVinoNetwork(path, config.batch)


def _no_int8(path: Path) -> UserError:
    return UserError(
        f"{path} has no eight-bit form that can be used here: set the detector's precision to auto"
    )


def _open_export(path: Path, config: DetectorConfig) -> OpenVinoNetwork:
    """A checkpoint by OpenVINO, in float or eight bits."""
    export = exported(path, config.image_size, _checked_export)
    network = OpenVinoNetwork(export, config.batch)
    form = None if config.precision == "float" else int8_form(path)
    if form is None:
        if config.precision == "int8":
            raise _no_int8(path)
        return network
    int8 = OpenVinoNetwork(form, config.batch, network.traits)
    if config.precision == "int8":
        return int8
    size = config.image_size
    return int8 if is_chosen(export, lambda: _is_better(int8, network, size)) else network


def _is_better(int8: DetectorNetwork, network: DetectorNetwork, image_size: int) -> bool:
    """Whether a form is faster than the network and finds the same people in a picture."""
    picture = BgrPicture(sample_image())

    def find(which: DetectorNetwork) -> Detections:
        return find_people(which, [picture], image_size, _CHECK_SCORE)[0]

    if disagreement(find(network), find(int8), CLOSE) is not None:
        return False
    return gains(lambda: find(network), lambda: find(int8))


def _checked_export(path: Path, image_size: int, folder: Path) -> Path:
    """Export a checkpoint into ``folder``. Raises UserError when the detections differ."""
    reference = TorchNetwork(load_checkpoint(path), path, "cpu")
    export = export_openvino(load_checkpoint(path), folder, image_size)
    networks: list[DetectorNetwork] = [reference, OpenVinoNetwork(export, 1)]
    picture = BgrPicture(sample_image())
    one, other = (find_people(net, [picture], image_size, _CHECK_SCORE)[0] for net in networks)
    fault = disagreement(one, other)
    if fault:
        raise UserError(
            f"the OpenVINO export of {path} differs from PyTorch: {fault}. Set the detector's "
            "backend to torch"
        )
    return export
