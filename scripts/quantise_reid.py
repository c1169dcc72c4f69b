"""Make the eight-bit form of a ReID model of ours, and say what it costs and brings.

    FUSETRACK_DATA=FOLDER python scripts/quantise_reid.py MODEL.safetensors

Needs nncf (pip install nncf). Its 300 pictures are of the people whom trainings learn; rank 1 and
mAP of each precision are those of CUHK03's val, milliseconds a crop on one thread at batch 8, the
precisions taking turns.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import nn

from reid_model.data import READERS, ReidImage
from reid_model.embedder import unit_rows
from reid_model.openvino_runtime import convert_network, core, read_network
from reid_model.preprocess import EmbedderSpec, normalise, resize_crops
from reid_model.quantised import quantise_file
from reid_model.trained_embedder import trained_spec
from reid_model.trained_fusion import InOneRow
from reid_model.training.fusion_files import load_fusion
from reid_model.training.measure import ranking_of
from reid_model.training.model_files import load_model
from reid_model.training.recipe import ModelRecipe
from reid_model.weights_header import is_fusion

PICTURES, BATCH, ROUNDS = 300, 8, 12


def read_model(path: Path) -> tuple[nn.Module, ModelRecipe]:
    """The network of a file, of which FusionSegReID's gives all that it says in one row."""
    if not is_fusion(path):
        return load_model(path)
    file = load_fusion(path)
    return InOneRow(file.model), file.recipe


def pictures_of(images: list[ReidImage], spec: EmbedderSpec) -> NDArray[np.uint8]:
    """``(N, height, width, 3)`` BGR."""
    crops = [np.asarray(cv2.imread(str(image.path)), np.uint8) for image in images]
    return resize_crops(crops, spec.height, spec.width)


def forms(converted: Any, eight_bits: Any) -> dict[str, Any]:
    """The compiled network in each precision."""
    chosen = {"f32": (converted, "f32"), "bf16": (converted, "bf16"), "int8": (eight_bits, "f32")}
    options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": 1}
    return {
        name: core().compile_model(
            network, "CPU", {**options, "INFERENCE_PRECISION_HINT": precision}
        )
        for name, (network, precision) in chosen.items()
    }


def times_of(
    compiled: Mapping[str, Callable[[NDArray[np.float32]], Any]], pixels: NDArray[np.float32]
) -> dict[str, list[float]]:
    """The processor seconds of each form for ``pixels``, in turns."""
    took: dict[str, list[float]] = {name: [] for name in compiled}
    for _ in range(ROUNDS):
        for name, run in compiled.items():
            begin = time.process_time()
            run(pixels)
            took[name].append(time.process_time() - begin)
    return took


def main() -> None:
    """Quantise, then measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    model = parser.parse_args().model
    data = os.environ.get("FUSETRACK_DATA")
    if data is None:
        sys.exit("quantise_reid: set FUSETRACK_DATA to a folder that holds reid/")
    folder = Path(data) / "reid"
    network, recipe = read_model(model)
    spec = trained_spec(recipe)
    train = READERS["mixed"](folder).train
    drawn = np.random.default_rng(0).choice(len(train), PICTURES, replace=False)
    shown = pictures_of([train[i] for i in drawn], spec)
    written = quantise_file(network, spec, list(shown), model)
    compiled = forms(convert_network(network, spec.height, spec.width), read_network(written))
    pixels = normalise(shown[:BATCH], spec)
    took = times_of(compiled, pixels)
    val = READERS["cuhk03"](folder / "cuhk03")
    seen = pictures_of([*val.query, *val.gallery], spec)
    for name, run in compiled.items():
        parts = [
            run(normalise(seen[start : start + BATCH], spec))[0][:, : recipe.output_dim]
            for start in range(0, len(seen), BATCH)
        ]
        found = ranking_of(val, unit_rows(np.concatenate(parts)))
        print(
            f"{name}: rank 1 {found.cmc[0]:.4f}, mAP {found.mean_average_precision:.4f}, "
            f"{1000 * median(took[name]) / BATCH:.1f} ms a crop"
        )


if __name__ == "__main__":
    main()
