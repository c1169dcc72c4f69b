"""A network in whole numbers of eight bits, for processors that multiply those much faster.

Post-training quantisation by OpenVINO's own tool (nncf), which learns from some pictures how large
the numbers between the layers become. It is done once, where a network is made (`quantise_file`);
what is written lies beside the network's own file and is used where it pays.
"""

import importlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reid_model.networks.fused import FusedEmbedder
from reid_model.openvino_runtime import convert_network, core, import_openvino
from reid_model.preprocess import EmbedderSpec, normalise

#: The least cosine, on drawn pictures, between the vectors in eight bits and in float32: on those
#: it is 0.68 to 0.96 for the network that comes with fusetrack, on crops of people 0.94 to 1, and
#: near 0 for a form of another network.
NEAR = 0.6


def quantised_file(path: Path) -> Path:
    """Where the eight-bit form of a network's file lies; its ``.bin`` is beside it."""
    return path.with_suffix(".int8.xml")


def eight_bits_pay() -> bool:
    """Whether this processor lacks bfloat16.

    With AVX2 or VNNI alone eight bits are 1.9 to 2.6 times as fast as float32. Where bfloat16 is
    built in, it is nearly as fast and nearer to float32.
    """
    return "BF16" not in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def quantise_file(
    network: FusedEmbedder,
    spec: EmbedderSpec,
    pictures: Sequence[NDArray[np.uint8]],
    path: Path,
) -> Path:
    """Write the eight-bit form of ``network``, whose own file is ``path``; returns its file.

    ``pictures`` are some BGR ``(height, width, 3)`` such as the network will see, hundreds of them.
    Raises ModuleNotFoundError where nncf is not installed.
    """
    nncf = importlib.import_module("nncf")
    converted = convert_network(network, spec.height, spec.width)
    seen = nncf.Dataset([normalise(picture[None], spec) for picture in pictures])
    eight_bits = nncf.quantize(converted, seen, subset_size=len(pictures))
    written = quantised_file(path)
    import_openvino().save_model(eight_bits, written)
    return written
