"""mot, read back with motmetrics and as a tracker by TrackEval."""

import logging
from pathlib import Path

import motmetrics
import pytest
from trackeval.datasets import MotChallenge2DBox

from builders import make_run
from pipeline.exports import export_run
from pipeline.run_directory.reader import RunDirectory


def test_motmetrics_reads_a_camera(run: RunDirectory) -> None:
    table = motmetrics.io.loadtxt(export_run(run, "mot") / "gate.txt", fmt="mot15-2D")
    assert table.index.tolist() == [(1, 7), (2, 7), (2, 9), (4, 7)]
    box = table.loc[(1, 7)]
    # motmetrics counts pixels from 1 and subtracts it.
    assert box[["X", "Y"]].tolist() == pytest.approx([9.1, 19.2])
    assert box[["Width", "Height", "Confidence"]].tolist() == pytest.approx([40.2, 70.2, 0.8])


def test_trackeval_reads_the_folder_as_a_tracker(run: RunDirectory, tmp_path: Path) -> None:
    cameras = {"gate": 10, "void": 10, "yard": 10}
    export_run(run, "mot", tmp_path / "trackers" / "fusetrack" / "data")
    for name in cameras:
        truth = tmp_path / "truth" / name / "gt" / "gt.txt"
        truth.parent.mkdir(parents=True)
        truth.write_text("1,1,10,20,40,70,1,1,1\n")
    dataset = MotChallenge2DBox(
        {
            "GT_FOLDER": str(tmp_path / "truth"),
            "TRACKERS_FOLDER": str(tmp_path / "trackers"),
            "SKIP_SPLIT_FOL": True,
            "SEQ_INFO": cameras,
            "PRINT_CONFIG": False,
        }
    )
    raw = {name: dataset.get_raw_seq_data("fusetrack", name) for name in cameras}
    assert [ids.tolist() for ids in raw["gate"]["tracker_ids"][:4]] == [[7], [7, 9], [], [7]]
    assert raw["gate"]["tracker_dets"][0][0].tolist() == [10.1, 20.2, 40.2, 70.2]
    assert raw["yard"]["tracker_ids"][9].tolist() == [7]
    assert sum(len(ids) for ids in raw["void"]["tracker_ids"]) == 0
    clean = dataset.get_preprocessed_seq_data(raw["gate"], "pedestrian")
    assert (clean["num_tracker_dets"], clean["num_tracker_ids"]) == (4, 2)


def test_rows_without_an_id_are_counted(
    run: RunDirectory, caplog: pytest.LogCaptureFixture
) -> None:
    export_run(run, "mot")
    assert caplog.messages == ["mot: 1 of 7 rows have no global id and are omitted"]


def test_no_warning_when_no_row_is_omitted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    run = RunDirectory(make_run(tmp_path, [("a", 0, 1, (1, 2, 3, 4))], {("a", 1): 1}))
    assert (export_run(run, "mot") / "a.txt").read_text() == "1,1,1.0,2.0,2.0,2.0,0.8,-1,-1,-1\n"
    assert caplog.messages == []


@pytest.mark.parametrize("format", ["mot", "kitti"])
def test_one_box_a_person_a_frame(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, format: str
) -> None:
    """Two tracks of one person overlap in frame 1: equal scores, so the first track's box stays."""
    boxes = [("a", 0, 1, (1, 2, 3, 4)), ("a", 1, 1, (1, 2, 3, 5)), ("a", 1, 2, (9, 9, 19, 19))]
    run = RunDirectory(make_run(tmp_path, boxes, {("a", 1): 5, ("a", 2): 5}))
    lines = (export_run(run, format) / "a.txt").read_text().splitlines()
    assert len(lines) == 2
    assert "9.0" not in lines[1]
    assert "1 of 3 rows have no global id and are omitted" in caplog.text


def test_a_run_without_people_has_an_empty_file(empty_run: RunDirectory) -> None:
    folder = export_run(empty_run, "mot")
    assert [(file.name, file.read_text()) for file in folder.iterdir()] == [("gate.txt", "")]
