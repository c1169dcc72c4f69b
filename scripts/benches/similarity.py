"""Fit the score calibration of embedders: the `similarity` section of configs/models.yaml.

Genuine and impostor pairs of CUHK01 crops (FUSETRACK_DATA/reid/cuhk01), in the same camera and in
two cameras. Names or paths of ReID models may be given; the default is the default embedder.
"""

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from pipeline.config.schema import ReidConfig
from pipeline.reid.embedding import open_embedder
from reid_model.similarity import fit_line

Vectors = NDArray[np.float32]


def embeddings(model: str, folder: Path) -> Vectors:
    """Embeddings ``(people, 4, D)``: crops 1 and 2 are from one camera, 3 and 4 from the other."""
    embedder = open_embedder(ReidConfig(model=model), "cpu")
    people = sorted({path.name.split("_")[0] for path in folder.glob("*_1.webp")})
    crops = [
        cv2.imread(str(folder / f"{person}_{k}.webp")) for person in people for k in (1, 2, 3, 4)
    ]
    return embedder.embed(crops).reshape(len(people), 4, -1)


def fit(one: Vectors, two: Vectors) -> dict[str, float]:
    """Logistic regression of equal rows of ``one`` and ``two`` against all other pairs of rows."""
    cosines = one @ two.T
    genuine, impostors = np.diag(cosines), cosines[~np.eye(len(cosines), dtype=bool)]
    line = fit_line(genuine, impostors)
    return {**asdict(line), "strangers": round(float(impostors.mean()), 3)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=[ReidConfig().model])
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    data = os.environ.get("FUSETRACK_DATA")
    if data is None:
        sys.exit("bench similarity: set FUSETRACK_DATA to a folder that contains reid/cuhk01/")
    found = {}
    for model in arguments.models:
        vectors = embeddings(model, Path(data) / "reid" / "cuhk01" / "train")
        found[model] = {
            "same_camera": fit(vectors[:, 0], vectors[:, 1]),
            "other_cameras": fit(vectors[:, 0], vectors[:, 2]),
        }
    if arguments.json:
        print(json.dumps(found))
        return
    table = Table("model", "pairs", "slope", "midpoint", "strangers")
    for model, lines in found.items():
        for pairs, line in lines.items():
            table.add_row(model, pairs, *map(str, line.values()))
    Console().print(table)


if __name__ == "__main__":
    main()
