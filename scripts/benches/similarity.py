"""Fit the score calibration of embedders: the `similarity` section of configs/models.yaml.

It uses crops of CUHK01 and CUHK03 (FUSETRACK_DATA/reid/{cuhk01,cuhk03}/train) and the same fit as a
training uses on people kept out. Names or paths of ReID models may be given; the default is the
default embedder. A network that was trained on these people must be fitted on others.
"""

import argparse
import os
import sys
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema import ReidConfig
from pipeline.reid.embedding import open_embedder
from printing import show
from reid_model.embedder import Embedder
from reid_model.similarity import fit_folders
from reid_model.training.model_files import save_similarity

# The first view of the second camera. More people than the second number change nothing.
SECOND_CAMERA = {"cuhk01": 3, "cuhk03": 5}
_PEOPLE = 300
_AT_ONCE = 64

Numbers = NDArray[np.int64]
Folder = tuple[NDArray[np.float32], Numbers, Numbers]


def embeddings(embedder: Embedder, folder: Path, second_camera: int) -> Folder:
    """Vectors ``(N, D)`` of the crops of a folder, whose they are, and which camera's."""
    people = sorted({path.stem.split("_")[0] for path in folder.glob("*.webp")})[:_PEOPLE]
    paths = [path for one in people for path in sorted(folder.glob(f"{one}_*.webp"))]
    parts = [
        embedder.embed([np.asarray(cv2.imread(str(p)), np.uint8) for p in paths[n : n + _AT_ONCE]])
        for n in range(0, len(paths), _AT_ONCE)
    ]
    names = [path.stem.split("_") for path in paths]
    camera = [int(view) >= second_camera for _, view in names]
    return (
        np.concatenate(parts),
        np.array([int(person) for person, _ in names], np.int64),
        np.array(camera, np.int64),
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=[ReidConfig().model])
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--write", action="store_true", help="into the files: models are paths of trained ones"
    )
    arguments = parser.parse_args()
    data = os.environ.get("FUSETRACK_DATA")
    if data is None:
        sys.exit("bench similarity: set FUSETRACK_DATA to a folder that contains reid/cuhk01/")
    found = {}
    for model in arguments.models:
        embedder = open_embedder(ReidConfig(model=model), "cpu")
        fit = fit_folders(
            [
                embeddings(embedder, Path(data) / "reid" / name / "train", second)
                for name, second in SECOND_CAMERA.items()
            ]
        )
        assert fit is not None
        found[model] = asdict(fit)
        if arguments.write:
            save_similarity(Path(model), fit)
    show(found, "model", list(next(iter(found.values()))), as_json=arguments.json)


if __name__ == "__main__":
    main()
