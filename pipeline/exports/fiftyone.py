"""FiftyOne: one JSON file that ``fiftyone.Dataset.from_json(path, rel_dir=...)`` loads.

A video dataset: ``{name, media_type: "video", sample_fields, frame_fields, info, samples}``. One
sample per camera, with its video as ``filepath`` (``rel_dir`` is prepended to a relative one),
``camera_id``, VideoMetadata, and ``frames``: {frame number from 1: {frame_number, people}}.
``people`` are Detections with the label "person": bounding_box ``[left, top, width, height]``
relative to the image and clipped to 0..1, index = global id (null without an identity),
confidence = score of the detection, and the attributes track_id and identity_confidence.
"""

from typing import Any

import msgspec
import polars as pl

from pipeline.errors import UserError
from pipeline.exports.rows import cameras_of, read_rows
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.schema import CameraRecord

_FIELDS = "fiftyone.core.fields"
_EMBEDDED = f"{_FIELDS}.EmbeddedDocumentField"


def fiftyone(run: RunDirectory) -> bytes:
    """The JSON document. Raises UserError for a camera with rows but an unknown image size."""
    rows = read_rows(run)
    document = {
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
        "samples": [
            _sample(camera, rows.filter(camera_id=camera.camera_id), run)
            for camera in cameras_of(run, rows)
        ],
    }
    return msgspec.json.encode(document)


def _sample(camera: CameraRecord, rows: pl.DataFrame, run: RunDirectory) -> dict[str, object]:
    if not rows.is_empty() and not (camera.width and camera.height):
        raise UserError(
            f"{run.path} has no image size for camera {camera.camera_id!r}, which fiftyone needs "
            "for relative boxes. Export another format, such as coco"
        )
    frames = rows.partition_by("frame_index", as_dict=True, maintain_order=True)
    return {
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
        "frames": {
            str(index + 1): _frame(index + 1, people, camera) for (index,), people in frames.items()
        },
    }


def _frame(number: int, people: pl.DataFrame, camera: CameraRecord) -> dict[str, object]:
    return {
        "frame_number": number,
        "people": {
            "_cls": "Detections",
            "detections": [_detection(row, camera) for row in people.iter_rows(named=True)],
        },
    }


def _detection(row: dict[str, Any], camera: CameraRecord) -> dict[str, object]:
    return {
        "_cls": "Detection",
        "label": "person",
        "bounding_box": _relative(row, camera),
        "index": row["global_id"],
        "confidence": row["score"],
        "track_id": row["track_id"],
        "identity_confidence": row["confidence"],
    }


def _relative(row: dict[str, Any], camera: CameraRecord) -> list[float]:
    left, right = (min(max(row[x] / camera.width, 0.0), 1.0) for x in ("x1", "x2"))
    top, bottom = (min(max(row[y] / camera.height, 0.0), 1.0) for y in ("y1", "y2"))
    return [round(value, 9) for value in (left, top, right - left, bottom - top)]
