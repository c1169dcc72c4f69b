"""A run in one process, with a real Redis; networks are fakes, see `fakes`."""

from pathlib import Path

import cv2
import polars as pl
import pytest
import redis

from command_line import recorded_walk
from fakes import BLUE, BOX, RED, ColourDetector, ColourEmbedder, scene
from pipeline.config.load import check_config
from pipeline.config.schema import SiteConfig
from pipeline.errors import UserError
from pipeline.run_directory.reader import RunDirectory
from pipeline.runtime import assemble, workers
from pipeline.runtime.run import run_site
from pipeline.runtime.site_options import with_options
from pipeline.runtime.stopping import Stop


def use(monkeypatch: pytest.MonkeyPatch, detector: ColourDetector) -> None:
    monkeypatch.setattr(assemble, "open_models", lambda *_: (detector, ColourEmbedder()))


def walk(tmp_path: Path, frames: int = 40, **settings: object) -> SiteConfig:
    path = recorded_walk(tmp_path / "walk.parquet", frames=frames)
    return with_options(check_config(settings, "the test"), [str(path)], {})


def pictures(tmp_path: Path, count: int, **settings: object) -> SiteConfig:
    folder = tmp_path / "door"
    folder.mkdir()
    for index in range(count):
        cv2.imwrite(str(folder / f"{index}.png"), scene({BOX: RED}))
    cameras = {"door": {"source": str(folder), "fps": 10}}
    return check_config({"cameras": cameras, **settings}, "the test")


def test_all_detections_are_in_the_run_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, ColourDetector())
    config = pictures(tmp_path, 30, recording={"thumbnails": True})
    result = run_site(config, tmp_path / "run")
    rows = result.trajectories()
    assert rows["frame_index"].to_list() == list(range(30))
    assert set(rows["global_id"]) == {1}
    (track,) = result.tracklets().iter_rows(named=True)
    assert (track["n"], track["thumbnail"]) == (30, "thumbnails/door/1.jpg")
    assert (result.path / track["thumbnail"]).is_file()
    assert track["embedding"] == pytest.approx([0, 0, 1])
    assert {p.name for p in result.path.iterdir()} == {
        *("config.yaml", "cameras.json", "observations", "tracklets", "identities", "thumbnails"),
        *("camera_states.jsonl", "recorder.json", "schema.json"),
    }


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"recording": {"video": True}}, "camera cam0: its source contains recorded detections"),
        ({"tracker": {"embeddings": True}}, "camera cam0 .* without the column embedding: add it"),
        ({"tracker": {"options": {"cmc": True}}}, "camera cam0 .* no images: remove .* cmc"),
        ({"tracker": {"name": "botsrot"}}, "Did you mean 'botsort'"),
        ({"reid": {"model": "nonsense"}}, "unknown ReID model 'nonsense'"),
    ],
)
def test_bad_settings_are_refused_before_anything_is_written(
    tmp_path: Path, settings: dict[str, object], words: str
) -> None:
    with pytest.raises(UserError, match=words):
        run_site(walk(tmp_path, **settings), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_video_of_a_live_camera_is_refused_before_connecting(tmp_path: Path) -> None:
    cameras = {"gate": {"source": "rtsp://me:s3cret@127.0.0.1:1/live"}}
    config = check_config({"cameras": cameras, "recording": {"video": True}}, "the test")
    with pytest.raises(UserError, match="gate: its source is a live stream") as refused:
        run_site(config, tmp_path / "run")
    assert "s3cret" not in str(refused.value)
    assert not (tmp_path / "run").exists()


def test_embeddings_of_two_networks_are_refused(tmp_path: Path) -> None:
    paths = []
    for name, embedding in (("a", [1.0, 0.0]), ("b", [1.0, 0.0, 0.0])):
        rows = pl.read_parquet(recorded_walk(tmp_path / "walk.parquet", frames=3, cameras=1))
        embeddings = pl.Series([embedding] * len(rows))
        rows = rows.with_columns(camera_id=pl.lit(name), embedding=embeddings)
        rows.write_parquet(tmp_path / f"{name}.parquet")
        paths.append(str(tmp_path / f"{name}.parquet"))
    config = with_options(SiteConfig(), paths, {})
    with pytest.raises(UserError, match="2 numbers from camera a, 3 numbers from camera b"):
        run_site(config, tmp_path / "run")
    assert run_site(with_options(SiteConfig(), paths[:1], {}), tmp_path / "run").path.is_dir()


@pytest.mark.parametrize("service", ["associate", "record"])
def test_an_internal_error_in_a_service_is_raised_unchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    def broken(*arguments: object) -> None:
        raise ZeroDivisionError("an internal error")

    monkeypatch.setattr(workers, service, broken)
    with pytest.raises(ZeroDivisionError, match="an internal error") as raised:
        run_site(walk(tmp_path, frames=100_000), tmp_path / "run")
    assert "broken" in [entry.name for entry in raised.traceback]
    result = RunDirectory(tmp_path / "run")
    assert result.trajectories().columns[0] == "camera_id"
    assert {camera.detail for camera in result.cameras()} <= {"stopped before its end"}
    assert not (tmp_path / "run" / "redis").exists()


def test_after_an_internal_error_in_the_node_sent_data_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(number: int) -> None:
        if number == 26:
            raise ZeroDivisionError

    use(monkeypatch, ColourDetector(broken))
    with pytest.raises(ZeroDivisionError):
        run_site(pictures(tmp_path, 40, detector={"batch": 1}), tmp_path / "run")
    result = RunDirectory(tmp_path / "run")
    # Two periods of one second had ended.
    assert result.observations()["frame_index"].to_list() == list(range(20))
    assert [camera.state for camera in result.cameras()] == ["running"]


def test_stopped_before_the_start(tmp_path: Path) -> None:
    stop = Stop()
    stop.input.set()
    result = run_site(walk(tmp_path), tmp_path / "run", stop=stop)
    assert {camera.detail for camera in result.cameras()} == {"stopped before its end"}
    assert result.trajectories().is_empty()


def test_stopped_at_once_the_run_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = Stop()

    def both(number: int) -> None:
        if number == 15:
            stop.input.set()
            stop.all.set()

    use(monkeypatch, ColourDetector(both))
    config = pictures(tmp_path, 40, detector={"batch": 1})
    result = run_site(config, tmp_path / "run", stop=stop)
    assert len(result.trajectories()) <= 15


def test_runs_share_a_redis_and_leave_nothing_in_it(tmp_path: Path, redis_url: str) -> None:
    config = walk(tmp_path, redis=redis_url)
    with redis.Redis.from_url(redis_url) as client:
        before = set(client.keys())
        for name in ("one", "two"):
            rows = run_site(config, tmp_path / name).trajectories()
            assert len(rows) == 80
        assert set(client.keys()) <= before


def test_appearance_decides_the_identities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, ColourDetector())
    cameras = {}
    for name, colour, start in (("a", RED, 0), ("b", RED, 10), ("c", BLUE, 20)):
        folder = tmp_path / name
        folder.mkdir()
        for index in range(30):
            cv2.imwrite(str(folder / f"{index}.png"), scene({BOX: colour}))
        moment = f"2026-05-01T09:00:{start:02}Z"
        cameras[name] = {"source": str(folder), "fps": 10, "start": moment}
    result = run_site(check_config({"cameras": cameras}, "the test"), tmp_path / "run")
    owners = dict(result.identities().select("camera_id", "global_id").iter_rows())
    assert owners["a"] == owners["b"]
    assert owners["a"] != owners["c"]
