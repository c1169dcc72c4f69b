"""Distribution of the cosines of genuine and impostor pairs, the basis of `simulation.appearance`.

Crops of CUHK03 (FUSETRACK_DATA/reid/cuhk03/val), 100 people in two cameras, embedded by a given
ReID model; compared with the same number of simulated people.
"""

import argparse
import json
import os
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from pipeline.config.schema import ReidConfig
from pipeline.reid.embedding import open_embedder
from simulation.appearance import AppearanceModel

MODEL = "person-reidentification-retail-0286"

Crops = tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]


def real(model: str, folder: Path) -> Crops:
    """Embeddings ``(N, D)``, and the person and the camera of each."""
    paths = sorted(folder.glob("*.webp"))
    people = np.array([int(path.stem.split("_")[0]) for path in paths])
    views = np.array([int(path.stem.split("_")[1]) for path in paths])
    embedder = open_embedder(ReidConfig(model=model), "cpu")
    crops = [np.asarray(cv2.imread(str(path)), np.uint8) for path in paths]
    return embedder.embed(crops), people, views // 5


def simulated(people: int, crops: int) -> Crops:
    """Simulated embeddings of ``people``, each once in each of two cameras."""
    appearance = AppearanceModel(seed=0)
    visits = [(person, camera) for person in range(people) for camera in (0, 1)]
    vectors = [appearance.crops(*visit, number, crops) for number, visit in enumerate(visits)]
    person, camera = np.repeat(np.array(visits), crops, axis=0).T
    return np.concatenate(vectors), person, camera


def spread(crops: Crops) -> dict[str, float]:
    """Mean and standard deviation of the cosines of each kind of pair, and the rank-1 accuracy."""
    vectors, people, cameras = crops
    cosines = vectors @ vectors.T
    pairs = np.triu(np.ones(cosines.shape, bool), 1)
    same = people[:, None] == people
    here = cameras[:, None] == cameras
    kinds = {
        "impostors": ~same & ~here,
        "impostors, same camera": ~same & here,
        "same person": same & ~here,
        "same person, same camera": same & here,
    }
    found = {}
    for kind, wanted in kinds.items():
        values = cosines[pairs & wanted]
        found[f"{kind}, mean"] = round(float(values.mean()), 3)
        found[f"{kind}, spread"] = round(float(values.std()), 3)
    query, gallery = cameras == 0, cameras == 1
    best = people[gallery][cosines[np.ix_(query, gallery)].argmax(axis=1)]
    found["rank 1"] = round(float((best == people[query]).mean()), 3)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default=MODEL)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    data = os.environ.get("FUSETRACK_DATA")
    if data is None:
        sys.exit("bench spread: set FUSETRACK_DATA to a folder that contains reid/cuhk03/")
    found = {
        arguments.model: spread(real(arguments.model, Path(data) / "reid" / "cuhk03" / "val")),
        "simulated": spread(simulated(people=100, crops=5)),
    }
    if arguments.json:
        print(json.dumps(found))
        return
    table = Table("cosines of", *found)
    for kind in found["simulated"]:
        table.add_row(kind, *(f"{figures[kind]:.3f}" for figures in found.values()))
    Console().print(table)


if __name__ == "__main__":
    main()
