"""Export the trajectories of a run to formats of other tools.

The same run directory gives the same bytes: fixed row order, no current time, shortest floats.
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

#: Format -> function that returns the bytes of one file, or file name -> bytes (one per camera).
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
    """Write ``run`` as ``format`` to ``out`` and return the path.

    ``out`` is a folder for mot, kitti and cvat (one file per camera) and a file for the others. It
    defaults to ``RUN/export``: the folder ``<format>``, or ``trajectories.<format>``, ``coco.json``
    and ``fiftyone.json``. Raises UserError for an unknown format, a run that the format cannot
    represent, and a path that cannot be written.
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
