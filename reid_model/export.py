"""A trained model as a file for other programs: ONNX, OpenVINO or TorchScript.

Each file takes normalised RGB ``(N, 3, height, width)`` float32, for any N, as ``pictures``, and
returns unit vectors ``(N, D)`` as ``vectors``.
"""

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from reid_model.networks.fused import FusedEmbedder
from reid_model.openvino_runtime import convert_network, core, import_openvino, read_network
from reid_model.preprocess import EmbedderSpec, normalise
from reid_model.trained_embedder import MIN_COSINE, min_cosine, sample_pictures, torch_vectors

#: Batch sizes for checking a file; they differ from that of the trace.
_BATCHES = (1, 7)
_OPSET = 18

#: Normalised pictures to unit vectors, by the exported file.
_Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def export_model(network: FusedEmbedder, spec: EmbedderSpec, how: str, out: Path) -> float:
    """Write ``out``, and for OpenVINO its ``.bin``, in the format ``how`` of `FORMATS`.

    The file is read again and compared with PyTorch on sample pictures, in batches of two sizes.
    Returns the smallest cosine. Raises ValueError for a name with another suffix, for NaN weights,
    and for a cosine below `MIN_COSINE`; then nothing is written.
    """
    suffix, write, read = FORMATS[how]
    if out.suffix != suffix:
        raise ValueError(f"the file for {how} must end with {suffix}, got {out.name}")
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.stem}-") as folder:
        unfinished = Path(folder) / out.name
        write(network, spec, unfinished)
        cosine = _compared(network, spec, read(unfinished))
        if cosine < MIN_COSINE:
            raise ValueError(
                f"the {how} file gives other vectors than PyTorch (cosine {cosine:.4f}, "
                f"expected at least {MIN_COSINE}), so it is not kept"
            )
        for written in Path(folder).iterdir():
            written.replace(out.with_name(written.name))
    return cosine


def _compared(network: FusedEmbedder, spec: EmbedderSpec, run: _Run) -> float:
    pictures = sample_pictures(max(_BATCHES), spec.height, spec.width)
    expected = torch_vectors(network, spec, pictures)
    pixels = normalise(pictures, spec)
    return min(min_cosine(run(pixels[:count]), expected[:count]) for count in _BATCHES)


def _write_openvino(network: FusedEmbedder, spec: EmbedderSpec, path: Path) -> None:
    converted = convert_network(network, spec.height, spec.width)
    converted.input().set_names({"pictures"})
    converted.output().set_names({"vectors"})
    import_openvino().save_model(converted, path)


def _read_openvino(path: Path) -> _Run:
    # The user of the file chooses the precision; it is not checked here.
    options = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = core().compile_model(read_network(path), "CPU", options)

    def run(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        vectors: NDArray[np.float32] = compiled(pixels)[0]
        return vectors

    return run


def _write_onnx(network: FusedEmbedder, spec: EmbedderSpec, path: Path) -> None:
    with warnings.catch_warnings():
        # PyTorch recommends its newer exporter, which needs two more packages for the same file.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.zeros(2, 3, spec.height, spec.width),),
            path,
            input_names=["pictures"],
            output_names=["vectors"],
            dynamic_axes={"pictures": {0: "n"}, "vectors": {0: "n"}},
            opset_version=_OPSET,
            dynamo=False,
        )


def _write_torchscript(network: FusedEmbedder, spec: EmbedderSpec, path: Path) -> None:
    with warnings.catch_warnings(), torch.no_grad():
        # PyTorch has deprecated this format, but other programs still read it.
        warnings.simplefilter("ignore")
        example = torch.zeros(2, 3, spec.height, spec.width)
        traced = torch.jit.trace(network, example, check_trace=False)  # type: ignore[no-untyped-call]
        torch.jit.save(torch.jit.freeze(traced), path)


def _read_torchscript(path: Path) -> _Run:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded = torch.jit.load(path)  # type: ignore[no-untyped-call]

    def run(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            vectors: NDArray[np.float32] = loaded(torch.from_numpy(pixels)).numpy()
        return vectors

    return run


_Write = Callable[[FusedEmbedder, EmbedderSpec, Path], None]

#: The suffix of each format's file, its writer and its reader.
FORMATS: dict[str, tuple[str, _Write, Callable[[Path], _Run]]] = {
    "onnx": (".onnx", _write_onnx, _read_openvino),
    "openvino": (".xml", _write_openvino, _read_openvino),
    "torchscript": (".pt", _write_torchscript, _read_torchscript),
}
