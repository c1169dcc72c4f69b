"""The Python function; networks are fakes, see `fakes`."""

from pathlib import Path

import av
import cv2
import pytest

import fusetrack
from command_line import recorded_walk
from fakes import BOX, RED, ColourDetector, ColourEmbedder, scene
from fusetrack import follow
from pipeline.config.load import check_config
from pipeline.errors import UserError
from pipeline.runtime import assemble


def test_sources_give_a_run_directory(tmp_path: Path) -> None:
    path = recorded_walk(tmp_path / "walk.parquet", frames=12)
    result = follow([path], tmp_path / "run")
    assert isinstance(result, fusetrack.RunDirectory)
    assert result.path == tmp_path / "run"
    assert [(c.camera_id, c.frames) for c in result.cameras()] == [("cam0", 12), ("cam1", 12)]
    assert len(result.trajectories()) == 24


def test_a_single_source_and_text_for_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded_walk(tmp_path / "walk.parquet", frames=12)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "site.yaml").write_text("site: hall")
    config = fusetrack.load_config("site.yaml")
    assert len(follow("walk.parquet", "runs/a", config).trajectories()) == 24
    assert len(follow(Path("walk.parquet"), "runs/b").trajectories()) == 24
    assert fusetrack.RunDirectory("runs/a") == fusetrack.RunDirectory(Path("runs/a"))
    assert isinstance(fusetrack.RunDirectory("runs/a").path, Path)


def test_the_configuration_is_used(tmp_path: Path) -> None:
    path = recorded_walk(tmp_path / "walk.parquet", frames=12)
    config = check_config({"site": "hall", "tracker": {"name": "ocsort"}}, "the test")
    result = follow([str(path)], str(tmp_path / "run"), config)
    tracker = result.config()["tracker"]
    assert isinstance(tracker, dict)
    assert (result.config()["site"], tracker["name"]) == ("hall", "ocsort")


def test_a_video_is_written_when_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = ColourDetector(), ColourEmbedder()
    monkeypatch.setattr(assemble, "open_models", lambda *_: models)
    (tmp_path / "shots").mkdir()
    for index in range(5):
        cv2.imwrite(str(tmp_path / "shots" / f"{index}.png"), scene({BOX: RED}))
    config = check_config({"recording": {"video": True}}, "the test")
    result = follow([f"door={tmp_path / 'shots'}"], tmp_path / "run", config)
    with av.open(str(result.path / "video" / "door.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) == 5


def test_bad_input_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no source"):
        follow([], tmp_path / "run")
    with pytest.raises(UserError, match=r"nowhere\.mp4"):
        follow([tmp_path / "nowhere.mp4"], tmp_path / "run")
    assert not (tmp_path / "run").exists()
