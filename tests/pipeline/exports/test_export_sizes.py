"""Frames of several sizes in one camera: coco, fiftyone and cvat know the size of each."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pyarrow as pa
import pytest

from builders import camera, make_run
from pipeline.exports import export_run
from pipeline.run_directory.layout import observations_of
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.schema import OBSERVATIONS
from pipeline.run_directory.segments import read_segments, write_segment


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """A person who fills the frame: 640 x 480 in frame 0, 320 x 240 in frame 1; unknown in 2."""
    boxes = [(0, 0, 640, 480), (0, 0, 320, 240), (0, 0, 320, 240)]
    rows = [("gate", frame, 1, box) for frame, box in enumerate(boxes)]
    root = make_run(tmp_path / "run", rows, {("gate", 1): 7}, cameras=[camera("gate")])
    folder = observations_of(root, "gate")
    table = read_segments(folder, OBSERVATIONS)
    for name, sizes in (("frame_width", [640, 320, None]), ("frame_height", [480, 240, None])):
        column = pa.array(sizes, pa.int32())
        table = table.set_column(table.schema.get_field_index(name), name, column)
    write_segment(folder, table, "1-0", 0)
    return RunDirectory(root)


def test_coco(run: RunDirectory) -> None:
    images = json.loads(export_run(run, "coco").read_bytes())["images"]
    sizes = [(image["width"], image["height"]) for image in images]
    assert sizes == [(640, 480), (320, 240), (640, 480)]


def test_fiftyone(run: RunDirectory) -> None:
    (sample,) = json.loads(export_run(run, "fiftyone").read_bytes())["samples"]
    people = [sample["frames"][str(n)]["people"]["detections"][0] for n in (1, 2, 3)]
    assert [person["bounding_box"] for person in people] == [
        [0, 0, 1, 1],
        [0, 0, 1, 1],
        [0, 0, 0.5, 0.5],
    ]


def test_cvat(run: RunDirectory) -> None:
    root = ET.parse(export_run(run, "cvat") / "gate.xml")
    assert root.find("meta/task/original_size") is None
    assert [box.attrib["xbr"] for box in root.iter("box")][:2] == ["640.0", "320.0"]
