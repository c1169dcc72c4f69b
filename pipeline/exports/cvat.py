"""CVAT for video 1.1: ``<camera_id>.xml``, one track element for each track of the camera.

The id of a track element is the track id; the attribute ``global_id`` is empty for a track without
an identity. Frames count from 0. Every box is a keyframe. A box with outside="1" follows the last
box before a gap and the last box of the track, unless the video ends there (CVAT rejects frames
that the video does not have).
"""

from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

import polars as pl

from pipeline.exports.rows import cameras_of, read_rows
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.schema import CameraRecord


def cvat(run: RunDirectory) -> dict[str, bytes]:
    """File name -> XML document."""
    rows = read_rows(run)
    return {
        f"{camera.camera_id}.xml": _document(camera, rows.filter(camera_id=camera.camera_id))
        for camera in cameras_of(run, rows)
    }


def _document(camera: CameraRecord, rows: pl.DataFrame) -> bytes:
    root = ET.Element("annotations")
    _text(root, "version", "1.1")
    _task(ET.SubElement(ET.SubElement(root, "meta"), "task"), camera)
    for track in rows.sort("track_id", "frame_index").partition_by("track_id"):
        _track(root, list(track.iter_rows(named=True)), camera.frames)
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _task(task: ET.Element, camera: CameraRecord) -> None:
    _text(task, "name", camera.camera_id)
    _text(task, "size", str(camera.frames))
    _text(task, "mode", "interpolation")
    _text(task, "start_frame", "0")
    _text(task, "stop_frame", str(max(camera.frames - 1, 0)))
    label = ET.SubElement(ET.SubElement(task, "labels"), "label")
    _text(label, "name", "person")
    attribute = ET.SubElement(ET.SubElement(label, "attributes"), "attribute")
    _text(attribute, "name", "global_id")
    _text(attribute, "mutable", "False")
    _text(attribute, "input_type", "text")
    _text(attribute, "default_value", "")
    _text(attribute, "values", "")
    if camera.width and camera.height:
        size = ET.SubElement(task, "original_size")
        _text(size, "width", str(camera.width))
        _text(size, "height", str(camera.height))


def _text(parent: ET.Element, tag: str, text: str) -> None:
    ET.SubElement(parent, tag).text = text


def _track(root: ET.Element, rows: list[dict[str, Any]], frames: int) -> None:
    track = ET.SubElement(root, "track", id=str(rows[0]["track_id"]), label="person", source="auto")
    global_id = rows[0]["global_id"]
    for frame, outside, row in _keyframes(rows, frames):
        box = ET.SubElement(
            track,
            "box",
            frame=str(frame),
            outside=str(int(outside)),
            occluded="0",
            keyframe="1",
            xtl=str(row["x1"]),
            ytl=str(row["y1"]),
            xbr=str(row["x2"]),
            ybr=str(row["y2"]),
            z_order="0",
        )
        attribute = ET.SubElement(box, "attribute", name="global_id")
        attribute.text = "" if global_id is None else str(global_id)


def _keyframes(
    rows: list[dict[str, Any]], frames: int
) -> Iterator[tuple[int, bool, dict[str, Any]]]:
    """(frame, outside, row) for every row and for the frame after each contiguous part."""
    following = [*(row["frame_index"] for row in rows[1:]), frames]
    for row, then in zip(rows, following, strict=True):
        yield row["frame_index"], False, row
        if then > row["frame_index"] + 1:
            yield row["frame_index"] + 1, True, row
