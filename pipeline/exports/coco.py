"""COCO object detection JSON, all cameras in one file.

One image for each frame with a person: file_name is ``<camera_id>/<frame_index>.jpg`` with six
digits, counted from 0 (the images themselves are not exported); width and height are those of
that frame, 0 where the run does not know them. One annotation for each row: bbox is ``[left, top,
width, height]`` in pixels. ``attributes`` repeats the ids because importers drop other extra
fields. global_id is null for a track without an identity.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import polars as pl

from pipeline.exports.rows import cameras_of, chunks_of
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.schema import CameraRecord


def coco(run: RunDirectory) -> Iterator[bytes]:
    """The JSON document; ids of images and annotations count from 1 in the order of the rows."""
    head = {
        "info": {"description": "People followed across cameras by fusetrack"},
        "licenses": [],
        "categories": [{"id": 1, "name": "person", "supercategory": "person"}],
    }
    yield msgspec.json.encode(head)[:-1]
    yield from listed("images", _images(run))
    yield from listed("annotations", _annotations(run))
    yield b"}"


def listed(name: str, items: Iterable[list[dict[str, object]]]) -> Iterator[bytes]:
    """``items`` as one more member of an object, a JSON list."""
    yield f',"{name}":['.encode()
    comma = b""
    for some in items:
        if some:
            yield comma + msgspec.json.encode(some)[1:-1]
            comma = b","
    yield b"]"


def _images(run: RunDirectory) -> Iterator[list[dict[str, object]]]:
    for camera, rows in _numbered(run):
        images = rows.unique("image_id", keep="first", maintain_order=True)
        yield [_image(row, camera) for row in images.iter_rows(named=True)]


def _annotations(run: RunDirectory) -> Iterator[list[dict[str, object]]]:
    number = 1
    for _, rows in _numbered(run):
        yield [_annotation(number + i, row) for i, row in enumerate(rows.iter_rows(named=True))]
        number += rows.height


def _numbered(run: RunDirectory) -> Iterator[tuple[CameraRecord, pl.DataFrame]]:
    """The rows in parts, with the number of their image."""
    before = 0
    for camera in cameras_of(run):
        for rows in chunks_of(run, camera.camera_id):
            rows = rows.with_columns(image_id=pl.col("frame_index").rank("dense") + before)
            before += rows["frame_index"].n_unique()
            yield camera, rows


def _image(row: dict[str, Any], camera: CameraRecord) -> dict[str, object]:
    return {
        "id": row["image_id"],
        "file_name": f"{camera.camera_id}/{row['frame_index']:06d}.jpg",
        "width": row["frame_width"] or camera.width,
        "height": row["frame_height"] or camera.height,
        "camera_id": camera.camera_id,
        "frame_index": row["frame_index"],
        "timestamp": row["timestamp"],
    }


def _annotation(number: int, row: dict[str, Any]) -> dict[str, object]:
    ids = {"track_id": row["track_id"], "global_id": row["global_id"]}
    return {
        "id": number,
        "image_id": row["image_id"],
        "category_id": 1,
        "bbox": [row["x1"], row["y1"], row["width"], row["height"]],
        "area": round(row["width"] * row["height"], 6),
        "iscrowd": 0,
        "score": row["score"],
        **ids,
        "attributes": {**ids, "confidence": row["confidence"], "state": row["state"]},
    }
