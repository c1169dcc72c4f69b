"""A run as a program sees it."""

from pathlib import Path

import numpy as np
import pytest

import fusetrack
from builders import camera, make_run
from pipeline.errors import UserError

BOX = (10.0, 10.0, 50.0, 90.0)
OTHER = (60.0, 10.0, 90.0, 90.0)
#: Ten frames a second: person 1 walks from a to b; track 3 of b has no identity.
ROWS = [
    *(("a", frame, 1, BOX) for frame in range(10)),
    *(("b", frame, 2, BOX) for frame in range(15, 20)),
    ("b", 15, 3, OTHER),
]
IDS = {("a", 1): 1, ("b", 2): 1}


@pytest.fixture
def run(tmp_path: Path) -> fusetrack.Run:
    cameras = [camera("a", frames=20), camera("b", frames=30)]
    return fusetrack.Run(str(make_run(tmp_path / "run", ROWS, IDS, cameras=cameras)))


def test_the_visits_of_people(run: fusetrack.Run) -> None:
    assert run.visits().rows() == [
        ("camera", "a", 1, 0.0, 0.9, 0.9),
        ("camera", "b", 1, 1.5, 1.9, pytest.approx(0.4)),
        ("site", "test", 1, 0.0, 1.9, 1.9),
    ]
    (way,) = run.transitions().rows(named=True)
    assert (way["origin"], way["destination"], way["seconds"]) == ("a", "b", pytest.approx(0.6))


def test_the_detections_of_a_frame(run: fusetrack.Run) -> None:
    found = run.detections("b", 15)
    assert found.xyxy.tolist() == [list(BOX), list(OTHER)]
    assert found.tracker_id is not None
    assert found.tracker_id.tolist() == [1, -1]
    assert found.data["track_id"].tolist() == [2, 3]
    assert np.isnan(found.data["identity_confidence"]).tolist() == [False, True]
    assert found.confidence is not None
    assert found.confidence.dtype == np.float32
    assert len(run.detections("b", 29)) == 0


def test_a_frame_or_camera_that_is_not_there(run: fusetrack.Run) -> None:
    with pytest.raises(UserError, match="camera b has no frame 30: expected 0 to 29"):
        run.detections("b", 30)
    with pytest.raises(UserError, match="has no frame -1"):
        run.detections("a", -1)
    with pytest.raises(UserError, match="camera"):
        run.detections("c", 0)


def test_figures(run: fusetrack.Run) -> None:
    timeline = run.plot_timeline().axes[0]
    assert [bar.get_width() for bar in timeline.patches] == pytest.approx([0.9, 0.4])  # type: ignore[attr-defined]
    assert [label.get_text() for label in timeline.get_yticklabels()] == ["1  a", "1  b"]
    lines = run.plot_occupancy(every_s=1.0).axes[0].lines
    assert [line.get_label() for line in lines] == ["a", "b"]
    assert max(lines[0].get_ydata()) == 1  # type: ignore[arg-type]
    with pytest.raises(UserError, match="no camera is calibrated"):
        run.plot_ground()


def test_the_paths_on_the_ground(tmp_path: Path) -> None:
    run = fusetrack.Run(make_run(tmp_path / "run", ROWS, IDS, ground=True))
    axes = run.plot_ground().axes[0]
    assert [line.get_label() for line in axes.lines] == ["1"]
    assert axes.get_aspect() == 1.0


def test_what_a_notebook_shows(run: fusetrack.Run) -> None:
    page = run._repr_html_()
    assert "1 person in 2 cameras" in page
    assert "<td>a → b</td>" in page
    assert "<script" not in page


def test_an_empty_run(tmp_path: Path) -> None:
    empty = fusetrack.Run(make_run(tmp_path / "run", [], {}, cameras=[camera("a", frames=0)]))
    assert empty.visits().height == 0
    assert "Nobody has an identity" in empty._repr_html_()
    assert len(empty.plot_timeline().axes[0].patches) == 0
    assert len(empty.plot_occupancy().axes[0].lines) == 0
    with pytest.raises(UserError, match="camera a has no frames yet"):
        empty.detections("a", 0)
