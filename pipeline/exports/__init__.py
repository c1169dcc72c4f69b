"""Exports: the trajectories of a run in the formats other tools read.

The same run directory gives the same bytes: rows in one order, no clock, floats in their shortest
form.
"""

from collections.abc import Callable
from pathlib import Path

from pipeline.errors import unknown_name
from pipeline.exports.coco import coco
from pipeline.exports.cvat import cvat
from pipeline.exports.fiftyone import fiftyone
from pipeline.exports.geojson import geojson
from pipeline.exports.kitti import kitti
from pipeline.exports.mot import mot
from pipeline.exports.tables import csv, jsonl, parquet
from pipeline.exports.write import write
from pipeline.run_directory.reader import RunDirectory

#: Name -> function that gives the bytes of one file, or file name -> bytes (one file a camera).
FORMATS: dict[str, Callable[[RunDirectory], bytes | dict[str, bytes]]] = {
    "csv": csv,
    "parquet": parquet,
    "jsonl": jsonl,
    "mot": mot,
    "coco": coco,
    "kitti": kitti,
    "geojson": geojson,
    "cvat": cvat,
    "fiftyone": fiftyone,
}

_FILE_NAMES = {"coco": "coco.json", "fiftyone": "fiftyone.json"}


def export_run(run: RunDirectory, format: str, out: Path | None = None) -> Path:
    """Write ``run`` as ``format`` to ``out`` and return where it is.

    ``out`` is a folder for mot, kitti and cvat (one file a camera) and a file for the others. By
    default it is in ``RUN/export``: the folder ``<format>``, or ``trajectories.<format>``,
    ``coco.json`` and ``fiftyone.json``. Raises UserError for an unknown format, a run that the
    format cannot hold, or a place that cannot be written.
    """
    if format not in FORMATS:
        raise unknown_name("export format", format, FORMATS)
    content = FORMATS[format](run)
    folder = run.path / "export"
    if isinstance(content, dict):
        out = out or folder / format
    else:
        out = out or folder / _FILE_NAMES.get(format, f"trajectories.{format}")
    write(content, out)
    return out
