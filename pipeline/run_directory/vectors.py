"""The vectors of tracklets as matrices that are mapped into memory.

RUN/search/NAME.COLUMN.VERSION.npy holds a vector column of the segment ``tracklets/NAME.parquet``
in one VERSION (its modification time and size), a row of float16 for each tracklet, zeros where it
has none. It is made by the first search and can be deleted at any time; one of a segment that has
changed is never used, and whoever rewrites or deletes a segment removes it.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.run_directory.durable import make_folder
from pipeline.run_directory.layout import contained
from pipeline.run_directory.row_groups import RowGroup, read
from pipeline.run_directory.schema import TRACKLETS
from reid_model.atomic_file import replacing

Matrix = NDArray[np.float16]

_FOLDER = "search"
# Fewer are read from the segment in no time, and its file may soon be replaced by a larger one.
_FEWEST_ROWS = 5_000


def matrices(root: Path, groups: Sequence[RowGroup], column: str, width: int) -> Iterator[Matrix]:
    """The vectors ``(n, width)`` float16 of each segment of ``groups``, whole segments, in order.

    A tracklet without a vector, or with one of another length, has zeros. Raises ChangedError when
    a segment was replaced meanwhile, and UserError when one is damaged.
    """
    for path, of_path in groupby(groups, key=lambda group: group.path):
        some = list(of_path)
        if sum(group.rows for group in some) < _FEWEST_ROWS:
            yield _read(some, column, width)
        else:
            yield _mapped(root, path, some, column, width)


def remove_stale(root: Path) -> int:
    """Delete the matrices of segments that were rewritten or deleted; returns their number.

    Raises OSError.
    """
    kept = {_stem(path) for path in (root / "tracklets").glob("part-*.parquet")}
    stale = [path for path in (root / _FOLDER).glob("*.*.*.npy") if _owner(path) not in kept]
    for path in stale:
        path.unlink(missing_ok=True)
    return len(stale)


def _owner(path: Path) -> str:
    name, _, version = path.name.removesuffix(".npy").split(".", 2)
    return f"{name}.{version}"


def _stem(path: Path) -> str:
    try:
        found = path.stat()
    except FileNotFoundError:
        return ""
    return _stem_of(path, (found.st_mtime_ns, found.st_size))


def _stem_of(path: Path, version: tuple[int, int]) -> str:
    return f"{path.stem}.{version[0]}-{version[1]}"


def _mapped(root: Path, path: Path, groups: list[RowGroup], column: str, width: int) -> Matrix:
    name, version = _stem_of(path, groups[0].version).split(".")
    file = root / _FOLDER / f"{name}.{column}.{version}.npy"
    rows = sum(group.rows for group in groups)
    with suppress(OSError, EOFError, ValueError):
        found = np.load(file, mmap_mode="c")
        if found.shape == (rows, width) and found.dtype == np.float16:
            return np.asarray(found)
    # Not to be written in a folder of which there is only leave to read.
    if not os.access(root, os.W_OK):
        return _read(groups, column, width)
    make_folder(contained(root, f"{_FOLDER}/{file.name}").parent)
    # Several may search at once.
    with replacing(file, file.with_name(f"{file.name}.{os.getpid()}.partial")) as partial:
        partial.touch(mode=0o600)
        _write(partial, groups, column, (rows, width))
    # Had the segment been rewritten before the file was there, it would not have been removed.
    remove_stale(root)
    return (
        np.asarray(np.load(file, mmap_mode="c")) if file.exists() else _read(groups, column, width)
    )


def _write(partial: Path, groups: list[RowGroup], column: str, shape: tuple[int, int]) -> None:
    with partial.open("r+b") as file:
        header = {"descr": "<f2", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for group in groups:
            file.write(_read([group], column, shape[1]).tobytes())


def _read(groups: list[RowGroup], column: str, width: int) -> Matrix:
    rows = read(groups, TRACKLETS, [column])[column]
    matrix = np.zeros((len(rows), width), np.float16)
    fits = (rows.list.len() == width).fill_null(False)
    values = rows.filter(fits).explode().cast(pl.Float32).to_numpy()
    matrix[fits.to_numpy()] = values.reshape(-1, width)
    return matrix
