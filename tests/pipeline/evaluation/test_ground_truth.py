"""Each layout of ground truth becomes the same table, and each fault becomes one clear line."""

import json
import os
from pathlib import Path

import polars as pl
import pytest

from pipeline.errors import UserError
from pipeline.evaluation.ground_truth import annotated_cameras, read_ground_truth

DATA = os.environ.get("FUSETRACK_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="FUSETRACK_DATA is not set: no real ground truth")


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _view(number: int, box: tuple[int, int, int, int] = (-1, -1, -1, -1)) -> dict[str, int]:
    return {"viewNum": number, **dict(zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))}


def _wildtrack(folder: Path, frames: dict[str, list[dict[str, object]]]) -> Path:
    for name, people in frames.items():
        _write(folder / f"{name}.json", json.dumps(people))
    return folder


def test_mot_frames_count_from_zero_and_boxes_become_corners(tmp_path: Path) -> None:
    path = _write(tmp_path / "gt.txt", "2,7,10,20,30,40,1,1,0.5\n1,7,1.5,2,3,4,1,1,1\n")
    assert read_ground_truth(path, ["cam"]).rows() == [
        ("cam", 0, 7, 1.5, 2.0, 4.5, 6.0),
        ("cam", 1, 7, 10.0, 20.0, 40.0, 60.0),
    ]


def test_mot_drops_ignored_regions_and_other_classes(tmp_path: Path) -> None:
    lines = [
        "1,1,0,0,9,9",  # no confidence, no class
        "1,2,0,0,9,9,1",  # no class
        "1,3,0,0,9,9,1,-1,-1,-1",  # no class given
        "1,4,0,0,9,9,-1,1,1",  # no confidence given
        "1,5,0,0,9,9,0,1,1",  # ignored region
        "1,6,0,0,9,9,1,3,1",  # a car
        "",
    ]
    truth = read_ground_truth(_write(tmp_path / "gt.txt", "\n".join(lines)), ["cam"])
    assert truth["person_id"].to_list() == [1, 2, 3, 4]


@pytest.mark.parametrize("world", ["-3.17,16.34,0.45", "1.000,9.02,0.68", "-1,-1,-1", "0,0,0"])
def test_mot_of_2015_has_places_in_the_world_and_no_class(tmp_path: Path, world: str) -> None:
    path = _write(tmp_path / "gt.txt", f"1,1,0,0,9,9,1,{world}\n")
    assert read_ground_truth(path, ["cam"])["person_id"].to_list() == [1]


def test_mot_tells_what_it_leaves_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lines = "1,1,0,0,9,9,1,1,1\n1,2,0,0,9,9,1,3,1\n1,3,0,0,9,9,1,3,1\n1,4,0,0,9,9,0,1,1\n"
    path = _write(tmp_path / "gt.txt", lines)
    assert read_ground_truth(path, ["cam"])["person_id"].to_list() == [1]
    assert caplog.messages == [f"{path}: 1 rows used, ignored: 2 of class 3, 1 of confidence 0"]


def test_mot_of_which_no_row_is_left_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "gt.txt", "1,1,0,0,9,9,1,0,1\n")
    with pytest.raises(UserError, match="only ignored rows: 1 of class 0"):
        read_ground_truth(path, ["cam"])


def test_mot_folder_in_both_shapes(tmp_path: Path) -> None:
    _write(tmp_path / "a.txt", "1,1,0,0,9,9\n")
    _write(tmp_path / "b" / "gt" / "gt.txt", "1,2,0,0,9,9\n")
    _write(tmp_path / "other.txt", "1,3,0,0,9,9\n")
    truth = read_ground_truth(tmp_path, ["a", "b", "c"])
    assert truth.select("camera_id", "person_id").rows() == [("a", 1), ("b", 2)]
    assert annotated_cameras(tmp_path, ["a", "b", "c"]) == ["a", "b"]


def test_a_single_file_belongs_to_the_camera_of_its_name(tmp_path: Path) -> None:
    path = _write(tmp_path / "b.txt", "1,1,0,0,9,9\n")
    assert read_ground_truth(path, ["a", "b"])["camera_id"].to_list() == ["b"]
    assert annotated_cameras(path, ["a", "b"]) == ["b"]


def test_an_empty_mot_file_is_a_camera_in_which_nobody_is_seen(tmp_path: Path) -> None:
    _write(tmp_path / "a.txt", "")
    _write(tmp_path / "b.txt", "1,1,0,0,9,9\n")
    assert read_ground_truth(tmp_path, ["a", "b"])["camera_id"].to_list() == ["b"]
    assert annotated_cameras(tmp_path, ["a", "b"]) == ["a", "b"]


@pytest.mark.parametrize("name", ["a.txt", "a.xml"])
def test_ground_truth_without_anybody_is_refused(tmp_path: Path, name: str) -> None:
    path = _write(tmp_path / name, "" if name == "a.txt" else "<dataset/>")
    with pytest.raises(UserError, match="annotates no person in a, so there is nothing to score"):
        read_ground_truth(path, ["a"])


def test_files_of_other_cameras_are_counted_aloud(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a", "b", "c", "d", "e", "f"):
        _write(tmp_path / f"{name}.txt", "1,1,0,0,9,9\n")
    (tmp_path / "g" / "gt").mkdir(parents=True)
    _write(tmp_path / "g" / "gt" / "gt.txt", "1,1,0,0,9,9\n")
    read_ground_truth(tmp_path, ["a", "b", "elsewhere"])
    assert caplog.messages == [
        f"{tmp_path}: 5 of 7 files belong to no camera of the run and are ignored: c.txt, d.txt, "
        "e.txt and 2 more"
    ]


def test_pets_boxes_have_a_centre_and_frames_from_zero(tmp_path: Path) -> None:
    path = _write(
        tmp_path / "gt.xml",
        '<dataset><frame number="0"><objectlist/></frame><frame number="3"><objectlist>'
        '<object id="9"><box h="40" w="20" xc="100" yc="50.5"/></object>'
        "</objectlist></frame></dataset>",
    )
    assert read_ground_truth(path, ["cam"]).rows() == [("cam", 3, 9, 90.0, 30.5, 110.0, 70.5)]


def test_wildtrack_frames_follow_the_numbers_of_the_files(tmp_path: Path) -> None:
    person = {"personID": 5, "positionID": 1, "views": [_view(0, (1, 2, 3, 4)), _view(1)]}
    at_the_edge = {"personID": 6, "positionID": 2, "views": [_view(0), _view(1, (-1, 2, 30, 4))]}
    folder = _wildtrack(tmp_path, {"5": [person], "10": [at_the_edge], "0": []})
    truth = read_ground_truth(folder, ["C1", "C2"])
    assert truth.rows() == [("C1", 1, 5, 1, 2, 3, 4), ("C2", 2, 6, -1, 2, 30, 4)]


@pytest.mark.parametrize(
    ("cameras", "expected"),
    [
        (["door", "hall"], ["door", "hall"]),  # by order: views 0 and 1
        (["C2"], ["C2"]),  # by name: view 1
        (["C2", "hall"], ["C2"]),  # by name, and hall has none
        ([f"cam{n}" for n in range(8)], ["cam0", "cam1"]),  # the eighth has none
    ],
)
def test_wildtrack_views_go_by_name_or_by_order(
    tmp_path: Path, cameras: list[str], expected: list[str]
) -> None:
    views = [_view(0, (0, 0, 1, 1)), _view(1, (0, 0, 2, 2))]
    inner = tmp_path / "annotations_positions"
    _wildtrack(inner, {"0": [{"personID": 1, "positionID": 0, "views": views}]})
    truth = read_ground_truth(tmp_path, cameras)
    assert truth["camera_id"].to_list() == expected
    assert truth.filter(pl.col("camera_id") == expected[-1])["x2"].item() == 2
    assert set(annotated_cameras(inner, cameras)) == set(cameras[:7]) - ({"hall"} - set(expected))


def test_a_missing_path_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no ground truth at .*nowhere.*Expected a MOT \.txt"):
        read_ground_truth(tmp_path / "nowhere", ["a"])


def test_an_unknown_kind_of_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gt\.mat: unknown kind of ground truth"):
        read_ground_truth(_write(tmp_path / "gt.mat", ""), ["a"])


def test_no_camera_of_the_run_is_annotated(tmp_path: Path) -> None:
    _write(tmp_path / "other.txt", "1,1,0,0,9,9\n")
    with pytest.raises(UserError, match="no ground truth for the cameras a, b"):
        read_ground_truth(tmp_path, ["a", "b"])
    with pytest.raises(UserError, match="no ground truth for the cameras a, b"):
        read_ground_truth(tmp_path / "other.txt", ["a", "b"])


@pytest.mark.parametrize(
    "line",
    [
        "1,2,3",
        "1,1,0,0,nine,9",
        "0,1,0,0,9,9",
        "1.5,1,0,0,9,9",
        "1,1.5,0,0,9,9",
        "1,1,nan,0,9,9",
        "1 1 0 0 9 9",
        "1e30,1,0,0,9,9",
        "1,9007199254740994,0,0,9,9",
    ],
)
def test_a_broken_mot_line_is_named(tmp_path: Path, line: str) -> None:
    path = _write(tmp_path / "gt.txt", f"1,1,0,0,9,9\n\n{line}\n")
    with pytest.raises(UserError, match=rf"gt\.txt: line 3: cannot use '{line}'"):
        read_ground_truth(path, ["a"])


@pytest.mark.parametrize("size", ["0,9", "9,-1"])
def test_a_box_without_an_area_is_refused(tmp_path: Path, size: str) -> None:
    path = _write(tmp_path / "gt.txt", f"3,8,0,0,{size}\n")
    with pytest.raises(UserError, match=r"person 8 .*area in frame 2 .*camera 'a'"):
        read_ground_truth(path, ["a"])


def test_a_person_twice_in_a_frame_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "gt.txt", "3,8,0,0,9,9\n3,8,1,1,9,9\n")
    with pytest.raises(UserError, match=r"gt\.txt: person 8 occurs twice in frame 2"):
        read_ground_truth(path, ["a"])


def test_a_binary_file_named_txt(tmp_path: Path) -> None:
    path = tmp_path / "gt.txt"
    path.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(UserError, match="cannot read the ground truth"):
        read_ground_truth(path, ["a"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<dataset><frame", "cannot read the ground truth .*Expected xml"),
        ("<annotations/>", "expected <dataset>"),
        ('<dataset><frame number="1"><object id="2"/></frame></dataset>', "frame 1, object 2: "),
        (
            '<dataset><frame number="1"><object id="2"><box h="1" w="1" xc="1"/></object></frame>'
            "</dataset>",
            "frame 1, object 2: .*yc",
        ),
        ('<dataset><frame><object id="2"/></frame></dataset>', "frame None, object 2: "),
    ],
)
def test_a_broken_xml(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_ground_truth(_write(tmp_path / "gt.xml", text), ["a"])


@pytest.mark.parametrize("text", ["[{", "{}", '[{"personID": 1}]'])
def test_a_broken_wildtrack_file_is_named(tmp_path: Path, text: str) -> None:
    _write(tmp_path / "00000000.json", text)
    with pytest.raises(UserError, match=r"00000000\.json.*Expected WILDTRACK json"):
        read_ground_truth(tmp_path, ["a"])


def test_a_json_file_not_named_by_frame_number(tmp_path: Path) -> None:
    _write(tmp_path / "notes.json", "[]")
    with pytest.raises(UserError, match=r"notes\.json: expected files named by frame number"):
        read_ground_truth(tmp_path, ["a"])


@needs_data
def test_the_real_pets_xml() -> None:
    truth = read_ground_truth(Path(DATA or "") / "pets2009" / "PETS2009-S2L1.xml", ["View_001"])
    assert (len(truth), truth["person_id"].n_unique()) == (4650, 19)
    assert (truth["frame_index"].min(), truth["frame_index"].max()) == (0, 794)


@needs_data
def test_the_real_wildtrack_folder() -> None:
    truth = read_ground_truth(Path(DATA or "") / "wildtrack", [f"C{n}" for n in range(1, 8)])
    # 66,626 views are listed, 23,905 of them four times -1. Another 14 only have xmin = -1.
    assert (len(truth), truth["person_id"].n_unique()) == (66626 - 23905, 313)
    assert len(truth.filter(pl.col("x1") != -1)) == 42707
    assert truth["frame_index"].max() == 399
