"""Write an export atomically."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from itertools import chain
from pathlib import Path

from pipeline.errors import UserError, writing
from reid_model.atomic_file import replacing

#: The name of a file in a folder, and the pieces of its content.
NamedFile = tuple[str, Iterable[bytes]]


def write_file(pieces: Iterable[bytes], out: Path) -> None:
    """Write ``pieces`` as the file ``out``, in place of an earlier export.

    Missing folders are created. Raises UserError when ``out`` is a folder or cannot be written.
    """
    if out.is_dir():
        raise UserError(f"{out} is a folder. Expected a file: give the path of a file in it")
    # A run that the format refuses leaves nothing behind.
    pieces = iter(pieces)
    first = next(pieces, b"")
    with _writing(out):
        _write(out, chain([first], pieces))


def write_folder(files: Iterable[NamedFile], out: Path) -> None:
    """Write ``files`` into the folder ``out``, as `write_file`. Raises UserError for a file."""
    if out.is_file():
        raise UserError(f"{out} is a file. Expected a folder, for one file per camera")
    with _writing(out):
        out.mkdir(parents=True, exist_ok=True)
        for name, pieces in files:
            _write(out / name, pieces)


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial, partial.open("wb") as file:
        for piece in pieces:
            file.write(piece)


def _writing(out: Path) -> AbstractContextManager[None]:
    return writing(f"the export {out}", "Give another path with --out")
