"""Accuracy of ReID networks, and time per crop.

Rank-1 and mAP on Market-1501, on CUHK03's val (FUSETRACK_DATA/reid: all crops of camera A are
queries, all of camera B the gallery) and on the people of CUHK01 whom our trainings keep out, no
re-ranking; milliseconds per crop at batch size 8 on this CPU, including resizing; the networks take
turns batch by batch. Names or paths of ReID models may be given; NAME.int8 is the eight-bit form
of a model of ours. With --keep the vectors are kept in a folder, and a run that was stopped goes
on from there.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema import ReidConfig
from pipeline.reid.embedding import open_embedder
from pipeline.weights import weights_path
from pipeline.weights.store import sha256_of
from printing import show
from reid_model.atomic_file import replacing
from reid_model.data import READERS, ReidImage, ReidSet
from reid_model.embedder import Embedder, openvino_embedder
from reid_model.evaluation import evaluate
from reid_model.fusion_embedder import FusionEmbedder
from reid_model.networks.body_parts import PARTS
from reid_model.openvino_runtime import read_network
from reid_model.quantised import quantised_file
from reid_model.trained_embedder import trained_spec
from reid_model.training.fusion_files import load_fusion
from reid_model.training.model_files import load_model
from reid_model.weights_header import is_fusion

BATCH = 8
REFERENCES = (
    "person-reidentification-retail-0277.FP16.xml",
    "person-reidentification-retail-0286.FP16.xml",
    "osnet_x0_25_msmt17.onnx",
)
OURS = (
    "omni-scale-people",
    "omni-scale-people.int8",
    "omni-scale-open",
    "fusion-people",
    "fusion-people.int8",
)
INT8 = ".int8"
SETS = ("market1501", "cuhk03", "cuhk01")


def opened(model: str) -> Embedder:
    """The network of a name or path; with `INT8` at its end, the eight-bit form of one of ours."""
    if not model.endswith(INT8):
        return open_embedder(ReidConfig(model=model, batch=BATCH), "cpu")
    path = weights_path(model.removesuffix(INT8), kind="reid")
    int8, file = quantised_file(path), load_fusion(path) if is_fusion(path) else None
    spec = trained_spec(load_model(path)[1] if file is None else file.recipe)
    embedder = openvino_embedder(read_network(int8), str(int8), spec, BATCH, "f32")
    if file is None:
        return embedder
    return FusionEmbedder(embedder, (file.recipe.output_dim, file.model.options.shared, len(PARTS)))


def vectors(
    embedder: Embedder, images: Sequence[ReidImage], kept: Path | None = None
) -> NDArray[np.float32]:
    """Embeddings ``(N, D)``, kept in a file if one is named; at most a thousand pictures are in
    memory at a time.
    """
    done = np.zeros((0, embedder.dimension), np.float32)
    if kept is not None and kept.is_file():
        done = np.load(kept)
    for start in range(len(done), len(images), 1000):
        some = [cv2.imread(str(image.path)) for image in images[start : start + 1000]]
        done = np.concatenate([done, embedder.embed(some)])
        if kept is not None:
            with replacing(kept) as partial, partial.open("wb") as file:
                np.save(file, done)
    return done


def accuracy(embedder: Embedder, people: ReidSet, kept: Path | None = None) -> dict[str, float]:
    """Rank-1 and mAP on one data set; ``kept`` is the start of the names of files for vectors."""
    query, gallery = (
        (
            vectors(embedder, images, kept and Path(f"{kept}-{part}.npy")),
            np.array([image.identity for image in images]),
            np.array([image.camera for image in images]),
        )
        for part, images in (("query", people.query), ("gallery", people.gallery))
    )
    found = evaluate(*query, *gallery)
    return {
        f"{people.name}_r1": round(float(found.cmc[0]), 4),
        f"{people.name}_map": round(found.mean_average_precision, 4),
    }


def milliseconds(embedders: Sequence[Embedder], images: Sequence[ReidImage]) -> list[float]:
    """Each one's median time of a crop over batches of 8, the first few left out."""
    crops = [cv2.imread(str(image.path)) for image in images[: 40 * BATCH]]
    took: list[list[float]] = [[] for _ in embedders]
    for start in range(0, len(crops), BATCH):
        for embedder, times in zip(embedders, took, strict=True):
            begin = time.perf_counter()
            embedder.embed(crops[start : start + BATCH])
            times.append(time.perf_counter() - begin)
    return [round(1000 * median(times[5:]) / BATCH, 2) for times in took]


def kept_out(folder: Path, name: str) -> ReidSet:
    """The people of the set in the folder ``name`` whom trainings on several sets keep out."""
    people = READERS["mixed"](folder)
    inside = folder / name
    query, gallery = (
        tuple(image for image in images if image.path.is_relative_to(inside))
        for images in (people.query, people.gallery)
    )
    return ReidSet(name, (), query, gallery)


def measure(
    models: Sequence[str], sets: Sequence[ReidSet], keep: Path | None = None
) -> dict[str, dict[str, float]]:
    """The figures of each network."""
    embedders = [opened(model) for model in models]
    kept = [None if keep is None else keep / _name_of_file(model) for model in models]
    figures = [
        {name: value for people in sets for name, value in _figures(embedder, people, start)}
        for embedder, start in zip(embedders, kept, strict=True)
    ]
    # Last, and for all at once: what is kept may be of other days.
    times = milliseconds(embedders, sets[0].query)
    return {
        Path(model).name: {"dimension": embedder.dimension, "ms_a_crop": ms, **found}
        for model, embedder, ms, found in zip(models, embedders, times, figures, strict=True)
    }


def _figures(embedder: Embedder, people: ReidSet, kept: Path | None) -> Iterable[tuple[str, float]]:
    start = None if kept is None else Path(f"{kept}-{people.name}")
    return accuracy(embedder, people, start).items()


def _name_of_file(model: str) -> str:
    """A name that changes with the weights."""
    path = weights_path(model.removesuffix(INT8), kind="reid")
    read = quantised_file(path).with_suffix(".bin") if model.endswith(INT8) else path
    beside = read.with_suffix(".bin") if read.suffix == ".xml" else read
    return f"{Path(model).name}-{sha256_of(beside)[:12]}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--keep", type=Path, help="folder for vectors")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    data = os.environ.get("FUSETRACK_DATA")
    if data is None:
        sys.exit("bench reid: set FUSETRACK_DATA to a folder that contains reid/ and weights/")
    folder = Path(data)
    sets = [
        kept_out(folder / "reid", name)
        if name == "cuhk01"
        else READERS[name](folder / "reid" / name)
        for name in arguments.sets
    ]
    references = [str(folder / "weights" / name) for name in REFERENCES]
    if arguments.keep is not None:
        arguments.keep.mkdir(parents=True, exist_ok=True)
    found = measure(arguments.models or [*OURS, *references], sets, arguments.keep)
    show(found, "model", list(next(iter(found.values()))), as_json=arguments.json)


if __name__ == "__main__":
    main()
