"""Accuracy of ReID networks, and time per crop.

Rank-1 and mAP on Market-1501 and on CUHK03's val (FUSETRACK_DATA/reid: all crops of camera A are
queries, all of camera B the gallery), without re-ranking; milliseconds per crop at batch size 8 on
this CPU, including resizing. Names or paths of ReID models may be given.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from pipeline.config.schema import ReidConfig
from pipeline.reid.embedding import open_embedder
from reid_model.data import READERS, ReidImage, ReidSet
from reid_model.embedder import Embedder
from reid_model.evaluation import evaluate

BATCH = 8
REFERENCES = (
    "person-reidentification-retail-0277.FP16.xml",
    "person-reidentification-retail-0286.FP16.xml",
    "osnet_x0_25_msmt17.onnx",
)
COLUMNS = ("market1501_r1", "market1501_map", "cuhk03_r1", "cuhk03_map", "dimension", "ms_a_crop")


def vectors(embedder: Embedder, images: Sequence[ReidImage]) -> NDArray[np.float32]:
    """Embeddings ``(N, D)``; at most a thousand pictures are in memory at a time."""
    parts = [
        embedder.embed([cv2.imread(str(image.path)) for image in images[start : start + 1000]])
        for start in range(0, len(images), 1000)
    ]
    return np.concatenate(parts)


def accuracy(embedder: Embedder, people: ReidSet) -> dict[str, float]:
    """Rank-1 and mAP on one data set."""
    query, gallery = (
        (
            vectors(embedder, images),
            np.array([image.identity for image in images]),
            np.array([image.camera for image in images]),
        )
        for images in (people.query, people.gallery)
    )
    found = evaluate(*query, *gallery)
    return {
        f"{people.name}_r1": round(float(found.cmc[0]), 4),
        f"{people.name}_map": round(found.mean_average_precision, 4),
    }


def milliseconds(embedder: Embedder, images: Sequence[ReidImage]) -> float:
    """The median time per crop over batches of 8, without the first few."""
    crops = [cv2.imread(str(image.path)) for image in images[: 40 * BATCH]]
    took = []
    for start in range(0, len(crops), BATCH):
        begin = time.perf_counter()
        embedder.embed(crops[start : start + BATCH])
        took.append(time.perf_counter() - begin)
    return round(1000 * median(took[5:]) / BATCH, 2)


def measure(model: str, sets: Sequence[ReidSet]) -> dict[str, float]:
    """The figures of one network."""
    embedder = open_embedder(ReidConfig(model=model, batch=BATCH), "cpu")
    found: dict[str, float] = {"dimension": embedder.dimension}
    found["ms_a_crop"] = milliseconds(embedder, sets[0].query)
    for people in sets:
        found |= accuracy(embedder, people)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    data = os.environ.get("FUSETRACK_DATA")
    if data is None:
        sys.exit("bench reid: set FUSETRACK_DATA to a folder that contains reid/ and weights/")
    folder = Path(data)
    sets = [READERS[name](folder / "reid" / name) for name in ("market1501", "cuhk03")]
    references = [str(folder / "weights" / name) for name in REFERENCES]
    models = arguments.models or [ReidConfig().model, *references]
    found = {Path(model).name: measure(model, sets) for model in models}
    if arguments.json:
        print(json.dumps(found))
        return
    table = Table("model", *COLUMNS)
    for name, values in found.items():
        table.add_row(name, *(str(values[column]) for column in COLUMNS))
    Console().print(table)


if __name__ == "__main__":
    main()
