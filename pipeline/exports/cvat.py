"""CVAT for video 1.1: ``<camera_id>.xml``, one track element for each track of the camera.

The id of a track element is the track id; the attribute ``global_id`` is empty for a track without
an identity, and may change within a track. Frames count from 0. Every box is a keyframe. A box with
outside="1" follows the last box before a gap and the last box of the track, unless the video ends
there (CVAT rejects frames that the video does not have).
"""

from collections.abc import Iterator
from itertools import chain
from typing import Any
from xml.etree import ElementTree as ET

import polars as pl

from pipeline.exports.rows import batches, cameras_of, chunks_of
from pipeline.exports.write import NamedFile
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.schema import CameraRecord

# Rows of tracks that are written together.
_BATCH_ROWS = 200_000
_END = b"</annotations>"
_COLUMNS = ("track_id", "frame_index", "x1", "y1", "x2", "y2", "global_id")
_Row = tuple[Any, ...]


def cvat(run: RunDirectory) -> Iterator[NamedFile]:
    """The XML documents."""
    for camera in cameras_of(run):
        yield f"{camera.camera_id}.xml", _document(camera, run)


def _document(camera: CameraRecord, run: RunDirectory) -> Iterator[bytes]:
    tracks, sizes = _survey(camera, run)
    root = ET.Element("annotations")
    _text(root, "version", "1.1")
    _task(ET.SubElement(ET.SubElement(root, "meta"), "task"), camera, sizes)
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    yield document.removesuffix(_END)
    for batch in batches(tracks, _BATCH_ROWS):
        rows = _rows_of(batch, camera, run)
        for (track_id,), track in rows.group_by("track_id", maintain_order=True):
            yield _track(int(str(track_id)), track, camera.frames)
    yield _END


def _survey(camera: CameraRecord, run: RunDirectory) -> tuple[pl.DataFrame, set[tuple[int, int]]]:
    """The tracks of a camera (track_id, rows, first and last frame) and the sizes of frames."""
    frame, parts, sizes = pl.col("frame_index"), [], {(camera.width, camera.height)}
    for rows in chunks_of(run, camera.camera_id):
        its_tracks = rows.group_by("track_id")
        parts.append(its_tracks.agg(rows=pl.len(), first=frame.min(), last=frame.max()))
        known = rows.select("frame_width", "frame_height").drop_nulls().unique()
        sizes |= {(width, height) for width, height in known.iter_rows()}
    if not parts:
        return pl.DataFrame(), sizes
    total = pl.col("rows").sum(), pl.col("first").min(), pl.col("last").max()
    return pl.concat(parts).group_by("track_id").agg(*total).sort("track_id"), sizes


def _rows_of(batch: pl.DataFrame, camera: CameraRecord, run: RunDirectory) -> pl.DataFrame:
    frames = batch.select(pl.col("first").min(), pl.col("last").max()).row(0)
    parts = [
        rows.join(batch.select("track_id"), on="track_id", how="semi").select(_COLUMNS)
        for rows in chunks_of(run, camera.camera_id, *frames)
    ]
    return pl.concat(parts).sort("track_id", "frame_index", maintain_order=True)


def _task(task: ET.Element, camera: CameraRecord, sizes: set[tuple[int, int]]) -> None:
    _text(task, "name", camera.camera_id)
    _text(task, "size", str(camera.frames))
    _text(task, "mode", "interpolation")
    _text(task, "start_frame", "0")
    _text(task, "stop_frame", str(max(camera.frames - 1, 0)))
    label = ET.SubElement(ET.SubElement(task, "labels"), "label")
    _text(label, "name", "person")
    attribute = ET.SubElement(ET.SubElement(label, "attributes"), "attribute")
    _text(attribute, "name", "global_id")
    # A track may show several people in turn.
    _text(attribute, "mutable", "True")
    _text(attribute, "input_type", "text")
    _text(attribute, "default_value", "")
    _text(attribute, "values", "")
    # A task has one size: it is omitted where frames differ.
    if camera.width and camera.height and len(sizes) == 1:
        size = ET.SubElement(task, "original_size")
        _text(size, "width", str(camera.width))
        _text(size, "height", str(camera.height))


def _text(parent: ET.Element, tag: str, text: str) -> None:
    ET.SubElement(parent, tag).text = text


def _track(track_id: int, rows: pl.DataFrame, frames: int) -> bytes:
    boxes = "\n".join(_box(*keyframe) for keyframe in _keyframes(rows, frames))
    track = f'  <track id="{track_id}" label="person" source="auto">\n{boxes}\n  </track>\n'
    return track.encode()


def _box(outside: bool, frame: int, row: _Row) -> str:
    _, _, left, top, right, bottom, global_id = row
    return (
        f'    <box frame="{frame}" outside="{int(outside)}" occluded="0" keyframe="1" '
        f'xtl="{left}" ytl="{top}" xbr="{right}" ybr="{bottom}" z_order="0">\n'
        f'      <attribute name="global_id">{"" if global_id is None else global_id}</attribute>\n'
        "    </box>"
    )


def _keyframes(rows: pl.DataFrame, frames: int) -> Iterator[tuple[bool, int, _Row]]:
    """(outside, frame, row) for every row and for the frame after each contiguous part."""
    following = chain(rows["frame_index"][1:], [frames])
    for row, then in zip(rows.iter_rows(), following, strict=True):
        frame = row[1]
        yield False, frame, row
        if then > frame + 1:
            yield True, frame + 1, row
