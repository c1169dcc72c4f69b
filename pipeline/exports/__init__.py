"""Export the trajectories of a run to formats of other tools.

The same run directory gives the same bytes: fixed row order, no current time, shortest floats. A
format yields its bytes in pieces, so that no run is too large for the memory.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline.errors import unknown_name
from pipeline.exports.coco import coco
from pipeline.exports.cvat import cvat
from pipeline.exports.fiftyone import fiftyone
from pipeline.exports.geojson import geojson
from pipeline.exports.kitti import kitti
from pipeline.exports.mot import mot
from pipeline.exports.tables import csv, jsonl, parquet
from pipeline.exports.write import NamedFile, write_file, write_folder
from pipeline.run_directory.layout import contained, contained_folder
from pipeline.run_directory.reader import RunDirectory

_FILES: dict[str, Callable[[RunDirectory], Iterator[bytes]]] = {
    "csv": csv,
    "parquet": parquet,
    "jsonl": jsonl,
    "coco": coco,
    "geojson": geojson,
    "fiftyone": fiftyone,
}
_FOLDERS: dict[str, Callable[[RunDirectory], Iterator[NamedFile]]] = {
    "mot": mot,
    "kitti": kitti,
    "cvat": cvat,
}
#: The names of the formats.
FORMATS = (*_FILES, *_FOLDERS)

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
    if format in _FOLDERS:
        out = out or contained_folder(run.path, f"export/{format}")
        write_folder(_FOLDERS[format](run), out)
    else:
        name = _FILE_NAMES.get(format, f"trajectories.{format}")
        out = out or contained(run.path, f"export/{name}")
        write_file(_FILES[format](run), out)
    return out
