"""Make the eight-bit form of a detector that comes with fusetrack.

    FUSETRACK_DATA=FOLDER python scripts/quantise_detector.py

Needs nncf (pip install nncf) and the weights yolo26n and demo-clips. The ranges of the activations
are estimated on 200 frames of the demo's clips and of one-by-one.mp4. The last module, which makes
boxes and scores of the features, stays in float: in eight bits it would place boxes coarsely.
"""

import importlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema import CameraConfig, DetectorConfig
from pipeline.detector import Detector
from pipeline.detector.inference import fit
from pipeline.detector.int8 import INT8_FOLDER, int8_name
from pipeline.paths import cache_folder
from pipeline.sources import open_source
from pipeline.sources.source import Frame
from pipeline.weights import weights_path
from reid_model.openvino_runtime import import_openvino, read_network

SIZE, STRIDE = 640, 32
CLIP_STEP, LONG_STEP = 4, 14
HEAD = re.compile(r"__module\.model\.23[./]")


def pictures(clip: Path, step: int) -> Iterator[NDArray[np.float32]]:
    """Every so manieth frame as the network's input ``(1, 3, h, w)``."""
    frames = open_source("c", CameraConfig(source=str(clip))).frames()
    for index, frame in enumerate(frames):
        if index % step == 0 and isinstance(frame, Frame):
            image = fit(frame.picture.shape, SIZE, STRIDE).apply(frame.picture)
            yield (image[None, ..., ::-1].transpose(0, 3, 1, 2) / 255).astype(np.float32)


def head_of(network: Any) -> list[str]:
    """The operations that end in boxes and scores."""
    named = [op for op in network.get_ordered_ops() if op.get_type_name() != "Constant"]
    return [op.get_friendly_name() for op in named if HEAD.match(op.get_friendly_name())]


def main() -> None:
    """Quantise and write."""
    data = os.environ.get("FUSETRACK_DATA")
    if data is None:
        sys.exit("quantise_detector: set FUSETRACK_DATA to a folder that holds clips/")
    nncf = importlib.import_module("nncf")
    checkpoint = weights_path("yolo26n", kind="detector")
    Detector(DetectorConfig(precision="float"), "cpu")  # exports it
    name = int8_name(checkpoint)
    export = next((cache_folder() / "exports").glob(f"{name.split('.')[0]}-{SIZE}-*"))
    network = read_network(export / "model.xml")
    demo = weights_path("demo-clips").parent
    shown = [x for n in (1, 2, 3, 4) for x in pictures(demo / f"cam0{n}.mp4", CLIP_STEP)]
    shown += pictures(Path(data) / "clips" / "one-by-one.mp4", LONG_STEP)
    int8 = nncf.quantize(
        network,
        nncf.Dataset(shown),
        subset_size=len(shown),
        preset=nncf.QuantizationPreset.MIXED,
        ignored_scope=nncf.IgnoredScope(names=head_of(network)),
    )
    INT8_FOLDER.mkdir(exist_ok=True)
    import_openvino().save_model(int8, INT8_FOLDER / name)


if __name__ == "__main__":
    main()
