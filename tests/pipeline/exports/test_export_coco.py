"""coco, read back with pycocotools."""

from pathlib import Path

import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from pipeline.exports import export_run
from pipeline.run_directory.reader import RunDirectory


def test_pycocotools_reads_every_row(run: RunDirectory) -> None:
    coco = COCO(str(export_run(run, "coco")))
    assert coco.loadCats(coco.getCatIds())[0]["name"] == "person"
    images = coco.loadImgs(coco.getImgIds())
    assert [image["file_name"] for image in images] == [
        "gate/000000.jpg",
        "gate/000001.jpg",
        "gate/000003.jpg",
        "yard/000000.jpg",
        "yard/000009.jpg",
    ]
    assert (images[2]["camera_id"], images[2]["frame_index"]) == ("gate", 3)
    assert (images[2]["width"], images[2]["height"], images[2]["timestamp"]) == (640, 480, 0.3)
    assert len(coco.getAnnIds()) == 7
    people = coco.loadAnns(coco.getAnnIds(imgIds=[3]))
    assert [person["global_id"] for person in people] == [7, None]
    assert [person["attributes"]["track_id"] for person in people] == [1, 3]


def test_a_box_is_corner_and_size(run: RunDirectory) -> None:
    coco = COCO(str(export_run(run, "coco")))
    first = coco.loadAnns([1])[0]
    assert first["bbox"] == [10.1, 20.2, 40.2, 70.2]
    assert first["area"] == pytest.approx(40.2 * 70.2)
    assert (first["iscrowd"], first["category_id"], first["score"]) == (0, 1, 0.8)
    assert first["attributes"] == {
        **{"track_id": 1, "global_id": 7},
        **{"confidence": 0.9, "state": "confirmed"},
    }


def test_evaluated_against_itself_it_is_perfect(run: RunDirectory) -> None:
    truth = COCO(str(export_run(run, "coco")))
    result = truth.loadRes([dict(annotation) for annotation in truth.dataset["annotations"]])
    scores = COCOeval(truth, result, "bbox")
    scores.evaluate()
    scores.accumulate()
    scores.summarize()
    assert scores.stats[0] == pytest.approx(1.0)


def test_a_run_without_people_is_valid(empty_run: RunDirectory) -> None:
    coco = COCO(str(export_run(empty_run, "coco")))
    assert coco.getCatIds() == [1]
    assert coco.getImgIds() == coco.getAnnIds() == []


def test_out_is_used(run: RunDirectory, tmp_path: Path) -> None:
    out = tmp_path / "new" / "people.json"
    assert export_run(run, "coco", out) == out
    assert len(COCO(str(out)).getAnnIds()) == 7
