"""Embed the thumbnails of a run with the current network, in place of the vectors that it has."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa

from pipeline.errors import UserError, writing
from pipeline.run_directory.durable import exclusive_writer
from pipeline.run_directory.layout import check_contained, file_inside
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.rewriting import rewrite_all
from pipeline.run_directory.schema import TRACKLETS
from pipeline.run_directory.vectors import remove_stale
from pipeline.search.networks import SearchModels
from pipeline.search.query_picture import Image

_AT_ONCE = 256
_VECTORS = ("embedding", "text_vector", "visibilities", "model")


def embed_again(run: RunDirectory, models: SearchModels) -> tuple[int, int]:
    """Replace the vectors of each track that has a thumbnail by those of the thumbnail.

    Returns how many were replaced, and how many tracks have no thumbnail that can be read. Raises
    UserError when there are none, when a recorder is writing, and when the disk is full.
    """
    root, counts = run.path, [0, 0]
    if run.tracklets(["thumbnail"])["thumbnail"].is_null().all():
        raise UserError(
            f"{root} has no thumbnails to embed again: they are kept with --save-thumbnails"
        )

    def change(rows: pa.Table) -> pa.Table:
        pictures = dict(_pictures(root, rows))
        counts[0] += len(pictures)
        counts[1] += len(rows) - len(pictures)
        return _with_vectors(rows, pictures, models) if pictures else rows

    check_contained(root)
    with writing(f"to {root}"), exclusive_writer(root):
        rewrite_all(root / "tracklets", TRACKLETS, change)
        remove_stale(root)
    return counts[0], counts[1]


def _pictures(root: Path, rows: pa.Table) -> Iterator[tuple[int, Image]]:
    for row, name in enumerate(rows["thumbnail"].to_pylist()):
        path = None if name is None else file_inside(root, name)
        if path is not None:
            image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
            if image is not None:
                yield row, np.asarray(image, np.uint8)


def _with_vectors(rows: pa.Table, pictures: dict[int, Image], models: SearchModels) -> pa.Table:
    values = {name: rows[name].to_pylist() for name in _VECTORS}
    for first in range(0, len(pictures), _AT_ONCE):
        some = [*pictures][first : first + _AT_ONCE]
        found = models.embed([pictures[row] for row in some])
        for n, row in enumerate(some):
            values["embedding"][row] = found.vectors[n]
            values["model"][row] = models.hash
            for name, of_all in (
                ("text_vector", found.text_vectors),
                ("visibilities", found.visibilities),
            ):
                values[name][row] = None if of_all is None else of_all[n].astype(np.float16)
    for name in _VECTORS:
        place, field = rows.schema.get_field_index(name), TRACKLETS.field(name)
        rows = rows.set_column(place, field, pa.array(values[name], field.type))
    return rows
