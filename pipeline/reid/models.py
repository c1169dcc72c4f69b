"""Embed picture files with ReID models, and evaluate the models on data sets."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from pipeline.config.schema import ReidConfig
from pipeline.devices import resolve_device
from pipeline.errors import UserError, writing
from pipeline.reid.embedding import open_embedder
from reid_model.atomic_file import replacing
from reid_model.data.picture_files import is_picture, read_picture
from reid_model.data.reid_set import ReidSet
from reid_model.embedder import Embedder
from reid_model.evaluation import evaluate, evaluate_distances
from reid_model.rerank import rerank
from reid_model.training.measure import identities_and_cameras, metrics_of

#: Called with the number of pictures done so far and in total.
ReportProgress = Callable[[int, int], None]

_AT_ONCE = 256
_SCHEMA = pa.schema([("path", pa.string()), ("embedding", pa.list_(pa.float32()))])


def open_model(name_or_path: str, device: str = "auto", batch: int = 32) -> Embedder:
    """The embedder of a name or path, on ``device``. Raises UserError as `open_embedder`."""
    return open_embedder(ReidConfig(model=name_or_path, batch=batch), resolve_device(device))


def evaluate_model(
    embedder: Embedder, reid_set: ReidSet, report: ReportProgress, reranked: bool = False
) -> dict[str, float]:
    """CMC ranks and mean average precision on the queries and gallery of a data set.

    Raises UserError for a set without them, and for files that are not pictures.
    """
    if not reid_set.query or not reid_set.gallery:
        raise UserError(
            f"{reid_set.name} has no queries and gallery to evaluate: "
            "expected folders query/ and gallery/ beside train/"
        )
    images = reid_set.query + reid_set.gallery
    vectors = np.concatenate(list(embeddings(embedder, [i.path for i in images], report)))
    identities, cameras = identities_and_cameras(images)
    count = len(reid_set.query)
    query, gallery = vectors[:count], vectors[count:]
    labels = (identities[:count], cameras[:count], identities[count:], cameras[count:])
    if reranked:
        return metrics_of(evaluate_distances(rerank(query, gallery), *labels))
    return metrics_of(evaluate(query, *labels[:2], gallery, *labels[2:]))


def embed_folder(embedder: Embedder, folder: Path, out: Path, report: ReportProgress) -> int:
    """Write ``path`` (relative to ``folder``) and ``embedding`` of all pictures below ``folder``.

    Returns their number. Raises UserError when there are none, one cannot be read, or ``out``
    cannot be written; ``out`` is then unchanged.
    """
    paths = sorted(path for path in folder.rglob("*") if is_picture(path))
    if not paths:
        raise UserError(f"no pictures in {folder}: expected files such as .jpg or .png")
    with (
        writing(out),
        replacing(out) as partial,
        pq.ParquetWriter(partial, _SCHEMA) as writer,
    ):
        done = 0
        for vectors in embeddings(embedder, paths, report):
            names = [p.relative_to(folder).as_posix() for p in paths[done:][: len(vectors)]]
            writer.write_table(pa.table([names, list(vectors)], schema=_SCHEMA))
            done += len(vectors)
    return len(paths)


def embeddings(
    embedder: Embedder, paths: Sequence[Path], report: ReportProgress
) -> Iterator[NDArray[np.float32]]:
    """Embeddings ``(n, D)`` float32 of pictures, in chunks. Raises UserError for a bad file."""
    for start in range(0, len(paths), _AT_ONCE):
        some = paths[start : start + _AT_ONCE]
        try:
            crops = [_bgr(read_picture(path)) for path in some]
        except ValueError as error:
            raise UserError(str(error)) from error
        yield embedder.embed(crops)
        report(start + len(some), len(paths))


def _bgr(image: torch.Tensor) -> NDArray[np.uint8]:
    """An RGB tensor ``(3, H, W)`` uint8 as a BGR crop ``(H, W, 3)``."""
    crop: NDArray[np.uint8] = image.flip(0).permute(1, 2, 0).contiguous().numpy()
    return crop
