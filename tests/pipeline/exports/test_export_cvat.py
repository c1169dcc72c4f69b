"""cvat, read by the rules that CVAT's own importer has for video 1.1.

Those rules, written out here since CVAT is a server and not a library: a track has a label that
the task declares; its boxes are in rising frame order inside the task's frames; outside, occluded
and keyframe are "0" or "1"; attributes are the declared ones; and a shape stays on the screen
from its keyframe until one that is outside.
"""

from pathlib import Path
from xml.etree import ElementTree as ET

from builders import camera, make_run, table_of
from pipeline.exports import export_run
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.schema import IDENTITIES
from pipeline.run_directory.segments import write_segment

Shown = dict[int, tuple[float, ...]]


def load(path: Path) -> tuple[ET.Element, dict[str, Shown]]:
    """The document, and for every track the frames in which CVAT would show it."""
    root = ET.parse(path).getroot()
    assert root.tag == "annotations"
    assert root.findtext("version") == "1.1"
    assert root.findtext("meta/task/mode") == "interpolation"
    size = int(root.findtext("meta/task/size", ""))
    labels = {label.findtext("name") for label in root.findall("meta/task/labels/label")}
    declared = {item.findtext("name") for item in root.findall(".//labels/label/attributes/*")}
    tracks: dict[str, Shown] = {}
    for track in root.findall("track"):
        assert track.attrib["label"] in labels
        assert track.attrib["id"] not in tracks
        tracks[track.attrib["id"]] = shown(track.findall("box"), size, declared)
    return root, tracks


def shown(boxes: list[ET.Element], size: int, declared: set[str | None]) -> Shown:
    frames = [int(box.attrib["frame"]) for box in boxes]
    assert frames == sorted(set(frames))
    assert frames[-1] < size
    seen: Shown = {}
    for box, frame, until in zip(boxes, frames, [*frames[1:], size], strict=True):
        assert box.attrib["occluded"] in {"0", "1"}
        assert box.attrib["keyframe"] == "1"
        assert {item.attrib["name"] for item in box} == declared
        if box.attrib["outside"] == "1":
            continue
        corners = tuple(float(box.attrib[key]) for key in ("xtl", "ytl", "xbr", "ybr"))
        seen.update(dict.fromkeys(range(frame, until), corners))
    return seen


def test_a_track_is_shown_where_it_was_seen(run: RunDirectory) -> None:
    root, tracks = load(export_run(run, "cvat") / "gate.xml")
    assert {name: sorted(frames) for name, frames in tracks.items()} == {
        "1": [0, 1, 3],
        "2": [1],
        "3": [3],
    }
    assert tracks["1"][0] == (10.1, 20.2, 50.3, 90.4)
    assert tracks["1"][3] == (12, 20, 52, 90)
    assert root.findtext("meta/task/original_size/width") == "640"


def test_every_box_has_its_global_id(run: RunDirectory) -> None:
    root, _ = load(export_run(run, "cvat") / "gate.xml")
    owners = {
        track.attrib["id"]: {item.text or "" for item in track.iter("attribute")}
        for track in root.findall("track")
    }
    assert owners == {"1": {"7"}, "2": {"9"}, "3": {""}}


def test_a_track_of_several_people_has_the_id_of_each_moment(tmp_path: Path) -> None:
    folder = make_run(tmp_path, [("a", n, 1, (1, 2, 3, 4)) for n in range(4)], {("a", 1): 7})
    event = {"camera_id": "a", "track_id": 1, "global_id": 8, "confidence": 0.5, "kind": "split"}
    later = {**event, "reason": "", "at": 1.0, "since": 0.2, "state": "probable"}
    write_segment(folder / "identities", table_of([later], IDENTITIES), "2-0")
    root, _ = load(export_run(RunDirectory(folder), "cvat") / "a.xml")
    owners = [box.findtext("attribute") for box in root.iter("box") if box.get("outside") == "0"]
    assert owners == ["7", "7", "8", "8"]
    assert root.findtext(".//labels/label/attributes/attribute/mutable") == "True"


def test_no_box_after_the_last_frame_of_the_video(run: RunDirectory) -> None:
    _, tracks = load(export_run(run, "cvat") / "yard.xml")
    assert sorted(tracks["1"]) == [0, 9]


def test_outside_follows_the_end(tmp_path: Path) -> None:
    run = RunDirectory(
        make_run(tmp_path, [("a", 2, 1, (1, 2, 3, 4))], {}, cameras=[camera("a", frames=4)])
    )
    root, _ = load(export_run(run, "cvat") / "a.xml")
    assert [(box.attrib["frame"], box.attrib["outside"]) for box in root.iter("box")] == [
        ("2", "0"),
        ("3", "1"),
    ]


def test_a_run_without_people_has_no_tracks(empty_run: RunDirectory) -> None:
    folder = export_run(empty_run, "cvat")
    assert [file.name for file in folder.iterdir()] == ["gate.xml"]
    assert load(folder / "gate.xml")[1] == {}
