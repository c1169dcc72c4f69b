"""fiftyone, checked by structure: fiftyone itself is not installed, it needs a MongoDB server."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from builders import camera, make_run
from pipeline.errors import UserError
from pipeline.exports import export_run
from pipeline.run_directory.reader import RunDirectory


def load(run: RunDirectory) -> dict[str, Any]:
    """The document, after what ``Dataset.from_json`` needs of it has been checked."""
    document: dict[str, Any] = json.loads(export_run(run, "fiftyone").read_bytes())
    assert document["media_type"] == "video"
    for fields in (document["sample_fields"], document["frame_fields"]):
        assert all(kind.startswith("fiftyone.core.fields.") for kind in fields.values())
    for sample in document["samples"]:
        declared = {*document["sample_fields"], "_media_type", "frames"}
        assert set(sample) == declared
        assert sample["metadata"]["_cls"] == "VideoMetadata"
        for number, frame in sample["frames"].items():
            assert set(frame) == set(document["frame_fields"])
            assert frame["frame_number"] == int(number) >= 1
            check_detections(frame["people"])
    return document


def check_detections(people: dict[str, Any]) -> None:
    assert people["_cls"] == "Detections"
    for person in people["detections"]:
        assert (person["_cls"], person["label"]) == ("Detection", "person")
        left, top, width, height = person["bounding_box"]
        assert min(left, top, width, height) >= 0
        assert max(left + width, top + height) <= 1 + 1e-9


def test_a_sample_for_each_camera(run: RunDirectory) -> None:
    samples = load(run)["samples"]
    assert [sample["camera_id"] for sample in samples] == ["gate", "void", "yard"]
    assert [sample["filepath"] for sample in samples] == ["gate.mp4", "void.mp4", "yard.mp4"]
    assert [list(sample["frames"]) for sample in samples] == [["1", "2", "4"], [], ["1", "10"]]


def test_people_of_a_frame(run: RunDirectory) -> None:
    frames = load(run)["samples"][0]["frames"]
    first = frames["1"]["people"]["detections"][0]
    expected = [10.1 / 640, 20.2 / 480, 40.2 / 640, 70.2 / 480]
    assert first["bounding_box"] == pytest.approx(expected, abs=1e-8)
    assert (first["index"], first["confidence"]) == (7, 0.8)
    assert (first["track_id"], first["identity_confidence"]) == (1, 0.9)
    assert [person["index"] for person in frames["4"]["people"]["detections"]] == [7, None]


def test_a_box_is_cut_at_the_border(run: RunDirectory) -> None:
    """The box ends at 700 px in a picture of 640."""
    cut = load(run)["samples"][0]["frames"]["4"]["people"]["detections"][1]
    assert cut["bounding_box"][0] + cut["bounding_box"][2] == 1.0


def test_unknown_picture_size(tmp_path: Path) -> None:
    """Recorded detections come without pictures."""
    cameras = [msgspec.structs.replace(camera("a"), width=0, height=0)]
    run = RunDirectory(make_run(tmp_path, [("a", 0, 1, (1, 2, 3, 4))], {}, cameras=cameras))
    with pytest.raises(UserError, match="no image size for camera 'a'"):
        export_run(run, "fiftyone")


def test_a_run_without_people_is_valid(empty_run: RunDirectory) -> None:
    samples = load(empty_run)["samples"]
    assert [(sample["camera_id"], sample["frames"]) for sample in samples] == [("gate", {})]
