"""Detectors run by PyTorch: checkpoints and TensorRT engines."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.detector.yolo import checkpoint_traits, exported_traits, ultralytics_module
from pipeline.errors import UserError
from reid_model.torch_device import to_device, to_host


class TorchNetwork:
    """A checkpoint or a TensorRT engine, run by PyTorch on one device."""

    def __init__(self, model: Any, path: Path, device: str) -> None:
        """``model`` is a loaded checkpoint, or None to open the engine at ``path``."""
        import torch

        self._torch = torch
        self.device = device
        self.traits = exported_traits(path) if model is None else checkpoint_traits(model, path)
        backend = ultralytics_module("nn.autobackend").AutoBackend
        try:
            self._model = backend(
                path if model is None else model, torch.device(device), verbose=False, end2end=False
            ).eval()
        except (ImportError, RuntimeError, AttributeError, AssertionError, OSError) as error:
            reason = " ".join(str(error).split())
            raise UserError(f"{path} cannot be opened on {device}: {reason}") from error
        dynamic = model is not None or getattr(self._model, "dynamic", False)
        self.fixed = None if dynamic else tuple(self._model.imgsz)

    def start(self, images: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.float32]]:
        """The raw output for each padded BGR image ``(h, w, 3)``; equal sizes form a batch.

        A GPU computes after this has returned, and copies each batch back as soon as it is done.
        """
        pictures = list(images)
        outputs: dict[int, tuple[Callable[[], NDArray[np.float32]], int]] = {}
        for shape in {picture.shape for picture in pictures}:
            rows = [i for i, picture in enumerate(pictures) if picture.shape == shape]
            batch = self._forward(np.stack([pictures[i] for i in rows]))
            outputs.update({row: (batch, i) for i, row in enumerate(rows)})
        ordered = [outputs[row] for row in range(len(pictures))]
        return (wait()[i : i + 1] for wait, i in ordered)

    def _forward(self, batch: NDArray[np.uint8]) -> Callable[[], NDArray[np.float32]]:
        torch = self._torch
        with torch.inference_mode():
            pixels = to_device(batch, self.device).permute(0, 3, 1, 2).flip(1)
            outputs = self._model(pixels.float().div_(255))
            while isinstance(outputs, list | tuple):
                outputs = outputs[0]
            return to_host(outputs)
