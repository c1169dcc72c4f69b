"""What the defaults reach on a little real material; the benches measure the whole of it."""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.config.load import check_config
from pipeline.evaluation import evaluate_run
from pipeline.pictures.video import write_video
from pipeline.runtime.run import run_site
from pipeline.sources import open_source
from pipeline.sources.source import Frame
from recordings.cmc import read_cmc

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        "FUSETRACK_DATA" not in os.environ, reason="FUSETRACK_DATA is not set: no real data"
    ),
]

CAMERA = "View_001_vtest"
# All 795 take minutes on a slow processor.
FRAMES = 150


@pytest.fixture
def data() -> Path:
    return Path(os.environ["FUSETRACK_DATA"])


def beginning(video: Path) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """The first frames of a video with their times."""
    camera = check_config({"cameras": {"c": {"source": str(video)}}}, "the test").cameras["c"]
    for frame in islice(open_source("c", camera).frames(), FRAMES):
        assert isinstance(frame, Frame)
        yield frame.timestamp, frame.image


def beginning_of_truth(path: Path, out: Path) -> Path:
    """The annotation of the first frames, as a file like the whole one."""
    tree = ElementTree.parse(path)
    root = tree.getroot()
    for frame in root.findall("frame"):
        if int(frame.attrib["number"]) >= FRAMES:
            root.remove(frame)
    tree.write(out)
    return out


def test_pets_begins_well_with_the_defaults(data: Path, tmp_path: Path) -> None:
    pets = data / "pets2009"
    video = tmp_path / f"{CAMERA}.mp4"
    assert write_video(video, beginning(pets / f"{CAMERA}.avi")) == FRAMES
    truth = beginning_of_truth(pets / "PETS2009-S2L1.xml", tmp_path / "truth.xml")
    config = check_config({"cameras": {CAMERA: {"source": str(video)}}}, "the test")
    evaluation = evaluate_run(run_site(config, tmp_path / "run"), truth)
    assert evaluation.by_track_id[CAMERA].mota >= 0.70
    assert evaluation.all_cameras.idf1 >= 0.65


def test_three_people_keep_their_ids_in_four_cameras(data: Path, tmp_path: Path) -> None:
    recording = read_cmc(data / "cmc", "CMC1")
    recording.detections.write_parquet(tmp_path / "detections.parquet")
    cameras = {
        name: {
            "source": str(tmp_path / "detections.parquet"),
            "calibration": {"projection": projection.tolist()},
        }
        for name, projection in recording.projections.items()
    }
    run = run_site(check_config({"cameras": cameras}, "the test"), tmp_path / "run")
    assert recording.score(run.trajectories()).idf1 >= 0.95
