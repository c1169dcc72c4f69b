"""COCO object detection JSON, all cameras in one file.

One image for each frame with a person: file_name is ``<camera_id>/<frame_index>.jpg`` with six
digits, counted from 0 (the images themselves are not exported); width and height are 0 where the
run does not know them. One annotation for each row: bbox is ``[left, top, width, height]`` in
pixels. ``attributes`` repeats the ids because importers drop other extra fields. global_id is null
for a track without an identity.
"""

from typing import Any

import msgspec

from pipeline.exports.rows import cameras_of, read_rows
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.schema import CameraRecord


def coco(run: RunDirectory) -> bytes:
    """The JSON document; ids of images and annotations count from 1 in the order of the rows."""
    rows = read_rows(run)
    cameras = {camera.camera_id: camera for camera in cameras_of(run, rows)}
    frame = ["camera_id", "frame_index"]
    images = rows.unique(frame, keep="first", maintain_order=True).with_row_index("image_id", 1)
    boxes = rows.join(images.select("image_id", *frame), on=frame, maintain_order="left")
    document = {
        "info": {"description": "People followed across cameras by fusetrack"},
        "licenses": [],
        "categories": [{"id": 1, "name": "person", "supercategory": "person"}],
        "images": [_image(row, cameras[row["camera_id"]]) for row in images.iter_rows(named=True)],
        "annotations": [
            _annotation(number, row) for number, row in enumerate(boxes.iter_rows(named=True), 1)
        ],
    }
    return msgspec.json.encode(document)


def _image(row: dict[str, Any], camera: CameraRecord) -> dict[str, object]:
    return {
        "id": row["image_id"],
        "file_name": f"{camera.camera_id}/{row['frame_index']:06d}.jpg",
        "width": camera.width,
        "height": camera.height,
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
