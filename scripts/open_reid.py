"""Bring Open Model Zoo's omni-scale network into fusetrack's own format, weights unchanged.

Made once for reid_model/weights/omni-scale-open.safetensors:
    python -m scripts.open_reid person-reidentification-retail-0277.FP16.xml OUT.safetensors
Its score calibration is fitted on the people that a training of `configs/reid` keeps out
(FUSETRACK_DATA/reid).
"""

import argparse
import os
import sys
from pathlib import Path

import torch

from reid_model.data import READERS
from reid_model.training.build import new_model
from reid_model.training.measure import measure
from reid_model.training.model_files import save_model
from reid_model.training.recipe import ModelRecipe
from scripts.omni_scale_ir import read_omni_scale

#: retail-0277 is the network at its full width; new MSCSA would be there and change nothing.
RECIPE = ModelRecipe(
    encoder="omni-scale",
    output_dim=256,
    mscsa_modules=0,
    embedding="projected",
    texts=False,
    text_guidance=False,
)


def main() -> None:
    """Read, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    data = os.environ.get("FUSETRACK_DATA")
    if data is None:
        sys.exit("open_reid: set FUSETRACK_DATA to a folder that holds reid/")
    encoder = read_omni_scale(arguments.network, RECIPE.width)
    embedder = new_model(RECIPE, 1, encoder).eval().deploy()
    people = READERS["mixed"](Path(data) / "reid")
    figures, similarity = measure(embedder, people, RECIPE.image_size)
    save_model(arguments.out, embedder, RECIPE, similarity, torch.float16)
    print(figures, similarity)


if __name__ == "__main__":
    main()
