"""Write an export atomically."""

from pathlib import Path

from pipeline.errors import UserError, writing
from reid_model.atomic_file import replacing


def write(content: bytes | dict[str, bytes], out: Path) -> None:
    """Write bytes to the file ``out``, or name -> bytes to files in the folder ``out``.

    Missing folders are created, and files of an earlier export replaced. Raises UserError when
    ``out`` is a folder instead of a file or vice versa, or cannot be written.
    """
    if isinstance(content, bytes) and out.is_dir():
        raise UserError(f"{out} is a folder. Expected a file: give the path of a file in it")
    if isinstance(content, dict) and out.is_file():
        raise UserError(f"{out} is a file. Expected a folder, for one file per camera")
    with writing(f"the export {out}", "Give another path with --out"):
        if isinstance(content, bytes):
            _write_file(out, content)
            return
        out.mkdir(parents=True, exist_ok=True)
        for name, data in content.items():
            _write_file(out / name, data)


def _write_file(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        partial.write_bytes(data)
