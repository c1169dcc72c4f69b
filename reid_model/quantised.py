"""Networks quantised to int8, for processors on which int8 is much faster than float32.

Post-training quantisation by OpenVINO's tool nncf, which estimates the range of the activations on
some pictures. It is done once, by the maker of a network (`quantise_file`); the result is stored
beside the network's file and used where int8 is preferred.
"""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reid_model.openvino_runtime import convert_network, core, import_openvino
from reid_model.preprocess import EmbedderSpec, normalise

if TYPE_CHECKING:
    from torch import nn

#: The smallest accepted cosine between the int8 and the float32 vectors of sample pictures. These
#: are drawn, and there it is 0.68 to 0.96 for the network that comes with fusetrack; on crops of
#: people it is 0.94 to 1, and near 0 for a form of another network.
MIN_COSINE_INT8 = 0.6


def quantised_file(path: Path) -> Path:
    """The path of the int8 form of a network's file; its ``.bin`` is beside it."""
    return path.with_suffix(".int8.xml")


def int8_is_preferred() -> bool:
    """Whether this processor lacks bfloat16.

    With AVX2 or VNNI only, int8 is 1.9 to 2.6 times as fast as float32. Where bfloat16 is
    supported, it is nearly as fast as int8 and closer to float32.
    """
    return "BF16" not in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def quantise_file(
    network: "nn.Module",
    spec: EmbedderSpec,
    pictures: Sequence[NDArray[np.uint8]],
    path: Path,
) -> Path:
    """Write the int8 form of ``network``, whose own file is ``path``; returns the path written.

    ``pictures`` are hundreds of typical inputs, BGR ``(height, width, 3)``. Raises
    ModuleNotFoundError if nncf is not installed.
    """
    nncf = importlib.import_module("nncf")
    converted = convert_network(network, spec.height, spec.width)
    calibration = nncf.Dataset([normalise(picture[None], spec) for picture in pictures])
    int8 = nncf.quantize(converted, calibration, subset_size=len(pictures))
    written = quantised_file(path)
    import_openvino().save_model(int8, written)
    return written
