"""kitti, read back as a tracker by TrackEval's KITTI class."""

from pathlib import Path

import pytest
from trackeval.datasets import Kitti2DBox

from pipeline.exports import export_run
from pipeline.run_directory.reader import RunDirectory


def kitti_dataset(folder: Path, cameras: dict[str, int]) -> Kitti2DBox:
    labels = folder / "truth" / "label_02"
    labels.mkdir(parents=True)
    for name in cameras:
        (labels / f"{name}.txt").write_text("")
    seqmap = [f"{name} empty 000000 {frames:06d}" for name, frames in cameras.items()]
    (folder / "truth" / "evaluate_tracking.seqmap.training").write_text("\n".join(seqmap) + "\n")
    return Kitti2DBox(
        {
            "GT_FOLDER": str(folder / "truth"),
            "TRACKERS_FOLDER": str(folder / "trackers"),
            "CLASSES_TO_EVAL": ["pedestrian"],
            "PRINT_CONFIG": False,
        }
    )


def test_trackeval_reads_the_folder_as_a_tracker(run: RunDirectory, tmp_path: Path) -> None:
    export_run(run, "kitti", tmp_path / "trackers" / "fusetrack" / "data")
    dataset = kitti_dataset(tmp_path, {"gate": 10, "void": 10, "yard": 10})
    gate = dataset.get_raw_seq_data("fusetrack", "gate")
    assert [ids.tolist() for ids in gate["tracker_ids"][:4]] == [[7], [7, 9], [], [7]]
    assert gate["tracker_dets"][0].tolist() == [[10.1, 20.2, 50.3, 90.4]]
    assert gate["tracker_confidences"][0].tolist() == [0.8]
    assert {cls for frame in gate["tracker_classes"] for cls in frame} == {4}  # pedestrian
    void = dataset.get_raw_seq_data("fusetrack", "void")
    assert sum(len(ids) for ids in void["tracker_ids"]) == 0


def test_a_line_has_the_eighteen_fields(run: RunDirectory) -> None:
    first = (export_run(run, "kitti") / "gate.txt").read_text().splitlines()[0]
    unknown_size, unknown_place = "-1 -1 -1", "-1000 -1000 -1000 -10"
    box = "10.1 20.2 50.3 90.4"
    assert first == f"0 7 Pedestrian -1 -1 -10 {box} {unknown_size} {unknown_place} 0.8"
    assert len(first.split()) == 18


def test_rows_without_an_id_are_counted(
    run: RunDirectory, caplog: pytest.LogCaptureFixture
) -> None:
    export_run(run, "kitti")
    assert caplog.messages == ["kitti: 1 of 7 rows have no global id and are omitted"]


def test_a_run_without_people_has_an_empty_file(empty_run: RunDirectory) -> None:
    folder = export_run(empty_run, "kitti")
    assert [(file.name, file.read_text()) for file in folder.iterdir()] == [("gate.txt", "")]
