"""Live iteration over files: the networks and the tracker are fakes given as a program's own."""

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import fusetrack
from command_line import recorded_walk
from fakes import BOX, HEIGHT, RED, WIDTH, ColourDetector, ColourEmbedder, scene
from pipeline.config.load import check_config
from pipeline.errors import UserError
from pipeline.runtime.moments import Moment, MomentQueue
from pipeline.sources.picture import BgrPicture
from pipeline.sources.source import Frame
from rtsp_cameras import Cameras, clip_mount, h264_clip, missing_server
from trackers.association.decision import Decision
from trackers.detections import Detections

FRAMES = 40


class OneTrack:
    """A tracker that takes everything for one person."""

    made = 0

    def __init__(self) -> None:
        type(self).made += 1

    def update(
        self, detections: Detections, image: NDArray[np.uint8] | None, timestamp: float
    ) -> Detections:
        first = detections.take(np.arange(min(len(detections), 1)))
        return replace(first, track_ids=np.full(len(first), 5, np.int64))


@pytest.fixture(scope="module")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("film") / "door"
    folder.mkdir()
    for index in range(FRAMES):
        cv2.imwrite(str(folder / f"{index:03}.png"), scene({BOX: RED}))
    return folder


def streamed(shots: Path, out: Path | None = None) -> Iterator[Moment]:
    return fusetrack.stream(
        shots, out, detector=ColourDetector(), tracker=OneTrack, embedder=ColourEmbedder()
    )


def background_threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()} & {"stream", "associate", "record"}


def test_every_frame_once_in_order(shots: Path, tmp_path: Path) -> None:
    OneTrack.made = 0
    moments = list(streamed(shots, tmp_path / "run"))
    assert [(m.camera_id, m.frame_index) for m in moments] == [("door", n) for n in range(FRAMES)]
    assert all(np.diff([moment.timestamp for moment in moments]) > 0)
    first = moments[0]
    assert first.image is not None
    assert first.image.shape == (HEIGHT, WIDTH, 3)
    assert first.boxes.tolist() == [list(BOX)]
    assert first.track_ids.tolist() == [1]
    assert first.global_ids == (None,)
    assert OneTrack.made == 2  # one to look at, one for the camera
    run = fusetrack.Run(tmp_path / "run")
    assert run.trajectories().height == FRAMES
    config = run.config()
    assert config["detector"]["model"] == "own:fakes.ColourDetector"  # type: ignore[index]
    assert config["tracker"]["name"] == f"own:{__name__}.OneTrack"  # type: ignore[index]
    assert background_threads() == set()


def test_ids_become_known_while_it_runs(shots: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decided_once, on_decision = threading.Event(), MomentQueue.on_decision

    def observed(moments: MomentQueue, decision: Decision) -> None:
        on_decision(moments, decision)
        decided_once.set()

    monkeypatch.setattr(MomentQueue, "on_decision", observed)
    config = check_config({"cameras": {"door": {"fps": 5}}}, "the test")
    known = []
    for moment in fusetrack.stream(
        f"door={shots}", None, config, detector=ColourDetector(), embedder=ColourEmbedder()
    ):
        known.append(moment.global_ids)
        # Five seconds are enough for a decision, and the node waits for this loop.
        if moment.frame_index == 28:
            assert decided_once.wait(60)
    assert known[0] == (None,)
    assert known[29:] == [(1,)] * (FRAMES - 29)


def test_leaving_the_loop_ends_the_run(shots: Path, tmp_path: Path) -> None:
    for moment in streamed(shots, tmp_path / "run"):
        if moment.frame_index == 3:
            break
    del moment
    assert background_threads() == set()
    run = fusetrack.Run(tmp_path / "run")
    frames = run.trajectories()["frame_index"].to_list()
    assert frames == list(range(len(frames)))
    assert 4 <= len(frames) < FRAMES


def test_closing_it_without_a_run_directory_leaves_nothing(
    shots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with closing(streamed(shots)) as moments:  # type: ignore[type-var]
        assert next(moments).frame_index == 0
    assert background_threads() == set()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(bool(missing_server()), reason=missing_server())
def test_a_live_camera_goes_on_until_the_loop_is_left(tmp_path: Path) -> None:
    with Cameras({"/one": clip_mount(h264_clip(tmp_path / "clip"))}) as cameras:
        times = []
        for moment in fusetrack.stream(
            f"gate={cameras.url('one')}", detector=ColourDetector(), embedder=ColourEmbedder()
        ):
            times.append(moment.timestamp)
            if len(times) == 15:
                break
        assert (moment.camera_id, len(times)) == ("gate", 15)
        assert all(np.diff(times) > 0)
        assert background_threads() == set()


def test_faults_reach_the_loop(shots: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no source"):
        list(fusetrack.stream([]))
    with pytest.raises(UserError, match="is the class"):
        fusetrack.stream(shots, detector=ColourDetector)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"nowhere\.mp4"):
        list(fusetrack.stream(tmp_path / "nowhere.mp4"))

    class Broken:
        def detect(self, images: list[NDArray[np.uint8]]) -> list[Detections]:
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        list(fusetrack.stream(shots, detector=Broken(), embedder=ColourEmbedder()))
    assert background_threads() == set()


def test_a_video_is_written_of_a_run_that_is_kept(shots: Path, tmp_path: Path) -> None:
    config = check_config({"recording": {"video": True}}, "the test")
    models = {"detector": ColourDetector(), "embedder": ColourEmbedder()}
    moments = fusetrack.stream(shots, tmp_path / "run", config, **models)  # type: ignore[arg-type]
    assert len(list(moments)) == FRAMES
    assert (tmp_path / "run" / "video" / "door.mp4").is_file()


def test_networks_without_images_to_show_them(tmp_path: Path) -> None:
    path = recorded_walk(tmp_path / "walk.parquet", frames=12)
    with pytest.raises(UserError, match="every source has recorded detections"):
        list(fusetrack.stream(path, detector=ColourDetector()))
    assert len(list(fusetrack.stream(path, tracker=OneTrack))) == 24


def frame(index: int) -> Frame:
    return Frame("door", index, float(index), BgrPicture(scene({})))


def people(*track_ids: int) -> Detections:
    boxes = np.array([BOX] * len(track_ids), np.float32).reshape(-1, 4)
    scores = np.linspace(0.5, 0.9, len(track_ids), dtype=np.float32)
    return Detections(boxes, scores, np.array(track_ids, np.int64))


def decided(track_id: int, global_id: int, since: float | None = None) -> Decision:
    return Decision(("door", track_id), global_id, 0.8, "assigned", "new person", since)


def one(moments: MomentQueue, index: int, tracked: Detections) -> Moment:
    moments.on_tracked(frame(index), tracked)
    return next(iter(moments))


def test_a_moment_knows_what_was_decided_before_it_is_taken() -> None:
    moments = MomentQueue()
    assert one(moments, 0, people(1, 2)).global_ids == (None, None)
    moments.on_tracked(frame(1), people(1, 2))
    moments.on_decision(decided(2, 7))
    taken = next(iter(moments))
    assert taken.global_ids == (None, 7)
    assert np.isnan(taken.confidences[0])
    assert taken.confidences[1] == pytest.approx(0.8)
    assert len(taken) == 2


def test_a_later_decision_replaces_an_earlier_one_from_its_moment_on() -> None:
    moments = MomentQueue()
    moments.on_decision(decided(1, 7))
    moments.on_decision(decided(1, 8, since=5.0))
    assert one(moments, 4, people(1)).global_ids == (7,)
    assert one(moments, 5, people(1)).global_ids == (8,)
    moments.on_decision(decided(1, 9))
    moments.on_decision(decided(1, 9, since=5.0))
    assert one(moments, 4, people(1)).global_ids == (9,)
    assert one(moments, 6, people(1)).global_ids == (9,)


def test_a_person_is_in_a_frame_once_at_the_surer_box() -> None:
    moments = MomentQueue()
    moments.on_decision(decided(1, 7))
    moments.on_decision(decided(2, 7))
    assert one(moments, 0, people(1, 2)).global_ids == (None, 7)


def test_a_moment_for_supervision_and_for_the_eye() -> None:
    moments = MomentQueue()
    moments.on_decision(decided(2, 7))
    moment = one(moments, 0, people(1, 2))
    seen = moment.detections()
    assert seen.tracker_id is not None
    assert seen.tracker_id.tolist() == [-1, 7]
    drawn = moment.annotated()
    assert moment.image is not None
    assert not moment.image.any()
    assert drawn.any()
    assert not one(moments, 1, people()).annotated().any()
    jpeg = moment._repr_jpeg_()
    assert jpeg is not None
    assert cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).shape == drawn.shape
    assert replace(moment, image=None)._repr_jpeg_() is None
    with pytest.raises(ValueError, match="no images"):
        replace(moment, image=None).annotated()
