"""The real recordings as the bench reads them, and errors for missing files."""

import os
from pathlib import Path

import pytest

from pipeline.errors import UserError
from recordings.cmc import read_cmc
from recordings.pets_views import read_pets_views
from recordings.wildtrack_recording import read_wildtrack

needs_data = pytest.mark.skipif(
    "FUSETRACK_DATA" not in os.environ, reason="FUSETRACK_DATA is not set: no real data"
)


@needs_data
def test_cmc() -> None:
    recording = read_cmc(Path(os.environ["FUSETRACK_DATA"]) / "cmc", "CMC1")
    assert recording.truth["person_id"].n_unique() == 3
    assert len(recording.detections) == 3344
    assert sorted(recording.projections) == ["Cam_1", "Cam_2", "Cam_3", "Cam_4"]
    assert recording.unjudged is not None
    assert 600 < len(recording.unjudged) < 720


@needs_data
def test_wildtrack() -> None:
    recording = read_wildtrack(Path(os.environ["FUSETRACK_DATA"]) / "wildtrack")
    assert recording.truth["person_id"].n_unique() == 313
    assert len(recording.detections) == len(recording.truth) == 42721
    assert len(recording.projections) == 7


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cam1_cam_mat"):
        read_cmc(tmp_path, "CMC1")
    with pytest.raises(UserError, match="PETS 2009"):
        read_pets_views(tmp_path)
    with pytest.raises(UserError, match="WILDTRACK"):
        read_wildtrack(tmp_path)
