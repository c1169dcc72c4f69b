"""FiftyOne: one JSON file that ``fiftyone.Dataset.from_json(path, rel_dir=...)`` loads.

A video dataset: ``{name, media_type: "video", sample_fields, frame_fields, info, samples}``. One
sample per camera, with its video as ``filepath`` (``rel_dir`` is prepended to a relative one),
``camera_id``, VideoMetadata, and ``frames``: {frame number from 1: {frame_number, people}}.
``people`` are Detections with the label "person": bounding_box ``[left, top, width, height]``
relative to its frame and clipped to 0..1, index = global id (null without an identity),
confidence = score of the detection, and the attributes track_id and identity_confidence.
"""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import msgspec
import polars as pl

from pipeline.errors import UserError
from pipeline.exports.rows import cameras_of, chunks_of
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.schema import CameraRecord

_FIELDS = "fiftyone.core.fields"
_EMBEDDED = f"{_FIELDS}.EmbeddedDocumentField"


def fiftyone(run: RunDirectory) -> Iterator[bytes]:
    """The JSON document. Raises UserError for a frame with people but an unknown size."""
    head = {
        "name": "fusetrack",
        "media_type": "video",
        "sample_fields": {
            "filepath": f"{_FIELDS}.StringField",
            "metadata": f"{_EMBEDDED}(fiftyone.core.metadata.VideoMetadata)",
            "camera_id": f"{_FIELDS}.StringField",
        },
        "frame_fields": {
            "frame_number": f"{_FIELDS}.FrameNumberField",
            "people": f"{_EMBEDDED}(fiftyone.core.labels.Detections)",
        },
        "info": {},
    }
    yield msgspec.json.encode(head)[:-1] + b',"samples":['
    for number, camera in enumerate(cameras_of(run)):
        yield b"," if number else b""
        yield from _sample(camera, run)
    yield b"]}"


def _sample(camera: CameraRecord, run: RunDirectory) -> Iterator[bytes]:
    head = {
        "filepath": camera.source,
        "_media_type": "video",
        "camera_id": camera.camera_id,
        "metadata": {
            "_cls": "VideoMetadata",
            "frame_width": camera.width,
            "frame_height": camera.height,
            "frame_rate": camera.fps,
            "total_frame_count": camera.frames,
        },
    }
    yield msgspec.json.encode(head)[:-1] + b',"frames":{'
    comma = b""
    for rows in chunks_of(run, camera.camera_id):
        if frames := _frames(rows, camera, run):
            yield comma + msgspec.json.encode(frames)[1:-1]
            comma = b","
    yield b"}}"


def _frames(
    rows: pl.DataFrame, camera: CameraRecord, run: RunDirectory
) -> dict[str, dict[str, object]]:
    frames: dict[str, dict[str, object]] = {}
    grouped = groupby(rows.iter_rows(named=True), key=lambda row: row["frame_index"])
    for index, people in grouped:
        detections = [_detection(row, _size(row, camera, run)) for row in people]
        frames[str(index + 1)] = {
            "frame_number": index + 1,
            "people": {"_cls": "Detections", "detections": detections},
        }
    return frames


def _size(row: dict[str, Any], camera: CameraRecord, run: RunDirectory) -> tuple[int, int]:
    width, height = row["frame_width"] or camera.width, row["frame_height"] or camera.height
    if not (width and height):
        raise UserError(
            f"{run.path} has no image size for camera {camera.camera_id!r}, which fiftyone needs "
            "for relative boxes. Export another format, such as coco"
        )
    return width, height


def _detection(row: dict[str, Any], size: tuple[int, int]) -> dict[str, object]:
    return {
        "_cls": "Detection",
        "label": "person",
        "bounding_box": _relative(row, size),
        "index": row["global_id"],
        "confidence": row["score"],
        "track_id": row["track_id"],
        "identity_confidence": row["confidence"],
    }


def _relative(row: dict[str, Any], size: tuple[int, int]) -> list[float]:
    left, right = (min(max(row[x] / size[0], 0.0), 1.0) for x in ("x1", "x2"))
    top, bottom = (min(max(row[y] / size[1], 0.0), 1.0) for y in ("y1", "y2"))
    return [round(value, 9) for value in (left, top, right - left, bottom - top)]
