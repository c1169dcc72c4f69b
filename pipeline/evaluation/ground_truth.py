"""Read ground truth: MOTChallenge text, PETS 2009 xml or WILDTRACK json, as one table."""

import logging
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import polars as pl

from pipeline.errors import UserError
from pipeline.evaluation.boxes import KEY, SCHEMA, check_unique_ids, validated
from pipeline.evaluation.mot import mot_boxes
from pipeline.evaluation.pets import pets_boxes
from pipeline.evaluation.wildtrack import wildtrack_boxes, wildtrack_views

_LAYOUTS = (
    "a MOT .txt file, a folder with CAMERA.txt or CAMERA/gt/gt.txt, the PETS 2009 .xml, or "
    "WILDTRACK's folder annotations_positions"
)
_NAMES_SHOWN = 3
_log = logging.getLogger(__name__)

_FILE_READERS = {".txt": mot_boxes, ".xml": pets_boxes}


def read_ground_truth(path: Path, camera_ids: list[str]) -> pl.DataFrame:
    """The boxes of `ground_truth_parts` at once, sorted by camera, frame and person."""
    truth = pl.concat([SCHEMA.to_frame(), *ground_truth_parts(path, camera_ids)])
    check_unique_ids(truth, str(path))
    return truth.sort(KEY)


def ground_truth_parts(path: Path, camera_ids: list[str]) -> Iterator[pl.DataFrame]:
    """The boxes of those ``camera_ids`` that ``path`` annotates, in parts of bounded size.

    Columns: camera_id, frame_index (from 0), person_id (int), x1, y1, x2, y2 (float64 pixels).
    A single file belongs to the camera with its name, or to the only camera. The views of
    WILDTRACK belong to cameras C1 to C7, or to the cameras in order if none has such a name.

    Files of a folder that belong to none of the cameras are named in the log. Raises UserError
    when ``path`` is missing, damaged, of an unknown layout, annotates none of the cameras or no
    person at all.
    """
    annotated = annotated_cameras(path, camera_ids)
    if _is_wildtrack(path):
        boxes = wildtrack_boxes(_json_folder(path), wildtrack_views(camera_ids))
        parts = iter([validated(boxes, path)])
    else:
        files = ((_camera_file(path, name), name) for name in annotated)
        parts = chain.from_iterable(_file_boxes(file, name) for file, name in files)
        _warn_unused(path, annotated)
    nothing = True
    for part in parts:
        nothing &= part.is_empty()
        yield part
    if nothing:
        raise UserError(
            f"{path} annotates no person in {', '.join(annotated)}, so there is nothing to score "
            f"against. Expected {_LAYOUTS}"
        )


def _warn_unused(path: Path, annotated: list[str]) -> None:
    """Log the files of a folder that belong to none of the cameras."""
    if not path.is_dir():
        return
    used = {_camera_file(path, name) for name in annotated}
    unused = sorted({*path.glob("*.txt"), *path.glob("*/gt/gt.txt")} - used)
    if unused:
        names = ", ".join(str(file.relative_to(path)) for file in unused[:_NAMES_SHOWN])
        more = f" and {len(unused) - _NAMES_SHOWN} more" if len(unused) > _NAMES_SHOWN else ""
        _log.warning(
            "%s: %d of %d files belong to no camera of the run and are ignored: %s%s",
            *(path, len(unused), len(unused) + len(used), names, more),
        )


def annotated_cameras(path: Path, camera_ids: list[str]) -> list[str]:
    """Those of ``camera_ids`` that ``path`` annotates, even without people.

    Raises UserError as `read_ground_truth`.
    """
    if not path.exists():
        raise UserError(f"no ground truth at {path}. Expected {_LAYOUTS}")
    if _is_wildtrack(path):
        found = list(wildtrack_views(camera_ids))
    elif path.is_dir():
        found = [name for name in camera_ids if _camera_file(path, name).is_file()]
    else:
        found = _cameras_of_file(path, camera_ids)
    if not found:
        raise UserError(
            f"{path} contains no ground truth for the cameras {', '.join(camera_ids)}. "
            f"Expected {_LAYOUTS}, where CAMERA is one of these"
        )
    return found


def _cameras_of_file(path: Path, camera_ids: list[str]) -> list[str]:
    if path.suffix.lower() not in _FILE_READERS:
        raise UserError(f"{path}: unknown kind of ground truth. Expected {_LAYOUTS}")
    return [path.stem] if path.stem in camera_ids else camera_ids if len(camera_ids) == 1 else []


def _camera_file(path: Path, camera_id: str) -> Path:
    if not path.is_dir():
        return path
    flat = path / f"{camera_id}.txt"
    return flat if flat.is_file() else path / camera_id / "gt" / "gt.txt"


def _file_boxes(path: Path, camera_id: str) -> Iterator[pl.DataFrame]:
    for part in _FILE_READERS[path.suffix.lower()](path, camera_id):
        yield validated(part, path)


def _is_wildtrack(path: Path) -> bool:
    return path.is_dir() and any(_json_folder(path).glob("*.json"))


def _json_folder(path: Path) -> Path:
    inner = path / "annotations_positions"
    return inner if inner.is_dir() else path
