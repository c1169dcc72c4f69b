"""One camera inside a node; its source is a fake, see `fakes`."""

import gc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fakes import BLUE, BOX, RED, Box, Clip, ColourEmbedder, Recorded, WordyEmbedder, found, scene
from pipeline.bus.messages import (
    ObservationsMessage,
    TrackletMessage,
    WatermarkMessage,
    tracklet_of,
    unpack,
)
from pipeline.config.load import check_config
from pipeline.config.schema import SiteConfig, TrackerConfig
from pipeline.errors import UserError
from pipeline.node.camera import Camera
from pipeline.node.crops import Crop, Thumbnails
from pipeline.node.perception import Perception
from pipeline.node.tracker import open_tracker, tracker_name
from pipeline.sources import RecordedFrame
from pipeline.sources.picture import BgrPicture
from pipeline.sources.source import Frame
from trackers.single_camera.boxmot import SingleCameraTracker
from trackers.single_camera.continuity import SamePerson
from trackers.single_camera.link import LinkTracker

EMBEDDING = np.array([1, 0], np.float32)


def config(**settings: object) -> SiteConfig:
    return check_config({"cameras": {"a": {"source": "a.mp4"}}, **settings}, "the test")


def opened(thumbnails: Thumbnails | None = None, **settings: object) -> Camera:
    return Camera(Clip("a", []), config(**settings), thumbnails)


def update(camera: Camera, time: float, *boxes: Box) -> None:
    """Update the camera with a frame of these people."""
    frame = Frame("a", round(time * 10), time, BgrPicture(scene(dict.fromkeys(boxes, RED))))
    camera.update(frame, found(boxes))


def embed(camera: Camera) -> list[tuple[int, float]]:
    """What a node does after a batch; returns track and time of the crops that were due."""
    due = camera.take_due_crops()
    for chosen in due:
        camera.add_embedding(chosen, EMBEDDING)
    camera.close_tracks()
    return [(chosen.track_id, chosen.timestamp) for chosen in due]


def test_before_the_end_of_a_period_there_is_nothing_to_send() -> None:
    camera = opened(association={"interval_s": 0.5})
    assert camera.take_messages(ended=False) == ([], [])
    for time in (10.0, 10.4):
        update(camera, time, BOX)
        assert camera.take_messages(ended=False) == ([], [])
    update(camera, 10.5, BOX)
    (observations,), (tracklet, watermark) = camera.take_messages(ended=False)
    assert isinstance(observations, ObservationsMessage)
    assert list(unpack(observations.timestamp)) == [10.0, 10.4, 10.5]
    assert isinstance(tracklet, TrackletMessage)
    assert watermark == WatermarkMessage("a", 10.5)
    assert camera.take_messages(ended=False) == ([], [])


def test_periods_without_a_frame_are_sent_as_one() -> None:
    camera = opened()
    update(camera, 0.0)
    update(camera, 7.2)
    assert camera.take_messages(ended=False) == ([], [WatermarkMessage("a", 7.0)])


def test_observations_are_those_of_the_detector_under_the_track_s_id() -> None:
    camera = opened()
    other = (120, 30, 160, 150)
    for time in (0.0, 0.1):
        update(camera, time, BOX, other)
    (message,), _ = camera.take_messages(ended=True)
    assert isinstance(message, ObservationsMessage)
    assert list(unpack(message.frame_index)) == [0, 0, 1, 1]
    assert list(unpack(message.track_id)) == [1, 2, 1, 2]
    assert unpack(message.boxes).tolist() == [list(BOX), list(other)] * 2
    assert unpack(message.scores) == pytest.approx([0.9] * 4)
    assert message.ground is None


def test_every_row_has_the_size_of_its_frame() -> None:
    camera = opened()
    for index, cut in enumerate((0, 100)):
        image = scene({BOX: RED})
        image = image[: len(image) - cut]
        camera.update(Frame("a", index, index / 10, BgrPicture(image)), found([BOX]))
    (message,), _ = camera.take_messages(ended=True)
    assert isinstance(message, ObservationsMessage)
    assert message.sizes is not None
    height, width = scene({BOX: RED}).shape[:2]
    assert unpack(message.sizes).tolist() == [[width, height], [width, height - 100]]


def test_recorded_detections_have_no_size() -> None:
    camera = opened()
    camera.update(RecordedFrame("a", 0, 0.0, found([BOX])), found([BOX]))
    (message,), _ = camera.take_messages(ended=True)
    assert isinstance(message, ObservationsMessage)
    assert message.sizes is None


def test_a_person_who_returns_after_the_track_was_closed_gets_a_new_track() -> None:
    # The tracker keeps lost tracks for two seconds, at its usual rate; the log closes after 2.4.
    camera = opened(tracker={"buffer_s": 2.0})
    tracks = []
    for time in (0.0, 0.1, *np.arange(0.2, 5.0, 0.1), 5.0, 5.1, 5.2):
        here = time <= 0.1 or time >= 5.0
        update(camera, float(time), *([BOX] if here else []))
        embed(camera)
        tracks += [m for m in camera.take_messages(ended=False)[1] if hasattr(m, "closed")]
    camera.end()
    embed(camera)
    tracks += [m for m in camera.take_messages(ended=True)[1] if hasattr(m, "closed")]
    closed = [(m.track_id, m.start, m.end, len(unpack(m.qualities))) for m in tracks if m.closed]
    assert [row[0] for row in closed] == [1, 2]
    assert closed[0] == (1, 0.0, 0.1, 1)
    assert closed[1][1] >= 5.0


def test_the_best_crop_of_a_spacing_interval_is_due_at_its_end() -> None:
    camera = opened(reid={"spacing_s": 0.5, "min_quality": 0.05})
    cut_off: Box = (60, 20, 100, 160)
    for time, box in ((0.0, cut_off), (0.1, BOX), (0.2, cut_off), (0.4, cut_off)):
        update(camera, time, box)
        assert embed(camera) == []
    update(camera, 0.5, BOX)
    assert embed(camera) == [(1, 0.1)]
    camera.end()
    assert embed(camera) == [(1, 0.5)]


def test_the_crop_of_a_track_that_ends_is_due_before_it_is_closed() -> None:
    camera = opened(tracker={"buffer_s": 0.2})
    update(camera, 0.0, BOX)
    update(camera, 0.1, BOX)
    # Both in one batch: overdue, and still overdue.
    update(camera, 0.5)
    update(camera, 0.6)
    assert embed(camera) == [(1, 0.0)]
    _, (closed, _) = camera.take_messages(ended=True)
    assert isinstance(closed, TrackletMessage)
    assert (closed.closed, closed.count) == (True, 2)
    np.testing.assert_array_equal(unpack(closed.exemplars), [EMBEDDING])


def test_a_track_without_a_good_crop_ends_without_exemplars(tmp_path: Path) -> None:
    camera = opened(Thumbnails(tmp_path / "thumbnails", "a", "none"), reid={"min_quality": 0.99})
    update(camera, 0.0, BOX)
    camera.end()
    assert embed(camera) == []
    _, (closed, _) = camera.take_messages(ended=True)
    assert isinstance(closed, TrackletMessage)
    assert (len(unpack(closed.qualities)), closed.thumbnail) == (0, None)
    assert list(tmp_path.iterdir()) == []


def test_the_data_of_closed_tracks_is_released(tmp_path: Path) -> None:
    thumbnails = Thumbnails(tmp_path / "thumbnails", "a", "none")
    camera = opened(thumbnails, tracker={"buffer_s": 0.2})
    for person in range(12):
        for step in (0.0, 0.1, 0.2, 0.9):
            update(camera, person * 2 + step, *([BOX] if step < 0.5 else []))
            embed(camera)
            camera.take_messages(ended=False)
    assert sum(type(thing) is Crop for thing in gc.get_objects()) <= 2
    assert len(list((tmp_path / "thumbnails" / "a").iterdir())) >= 10
    assert thumbnails is not None
    assert thumbnails.write(3) is None


def test_a_crop_has_pixels_of_its_own() -> None:
    camera = opened()
    image = scene({BOX: BLUE})
    camera.update(Frame("a", 0, 0.0, BgrPicture(image)), found([BOX]))
    image[:] = 0
    camera.end()
    (chosen,) = camera.take_due_crops()
    assert chosen.crop.image is not None
    assert (chosen.crop.image == BLUE).all()


def test_recorded_detections_are_measured_against_their_camera() -> None:
    camera = Camera(Recorded("a", []), config(), None)
    embedding = np.array([[1, 0]], np.float32)
    camera.update(RecordedFrame("a", 0, 0.0, found([BOX], embedding)), found([BOX], embedding))
    camera.end()
    (chosen,) = camera.take_due_crops()
    assert chosen.crop.image is None
    assert chosen.quality == pytest.approx(120 / 128 * 0.9**0.5)


def test_an_unknown_frame_rate_gets_the_default() -> None:
    camera = Camera(Clip("a", [], fps=0.0), config(), None)
    update(camera, 0.0, BOX)
    assert camera.frames == 1


def test_a_camera_that_is_off_at_the_start_gets_its_own_rate() -> None:
    source = Clip("a", [], fps=0.0)
    camera = Camera(source, config(tracker={"buffer_s": 2}), None)
    source.fps = 5.0
    update(camera, 0.0, BOX)
    assert isinstance(camera.tracker, LinkTracker)


def test_a_rate_that_becomes_known_replaces_the_tracker() -> None:
    source = Clip("a", [], fps=0.0)
    camera = Camera(source, config(tracker={"buffer_s": 2}), None)
    ids = []
    for step in range(40):
        if step == 20:
            source.fps = 5.0
        frame = Frame("a", step, step / 5, BgrPicture(scene({BOX: RED})))
        tracked = camera.update(frame, found([BOX]))
        ids += [] if tracked.track_ids is None else list(map(int, tracked.track_ids))
        assert isinstance(camera.tracker, SingleCameraTracker if step < 20 else LinkTracker)
    # A new tracker, whose first track is not the first one of the other.
    assert list(dict.fromkeys(ids)) == [1, 2]


def test_a_projection_is_a_homography_of_the_ground() -> None:
    homography = [[1, 0, 0], [0, 100, 100], [0, 1, 0]]
    projection = [[row[0], row[1], 9, row[2]] for row in homography]
    grounds = []
    for calibration in ({"homography": homography}, {"projection": projection}):
        camera = opened(cameras={"a": {"source": "x", "calibration": calibration}})
        update(camera, 0.0, BOX)
        (message,), _ = camera.take_messages(ended=True)
        assert isinstance(message, ObservationsMessage)
        assert message.ground is not None
        grounds.append(unpack(message.ground))
    np.testing.assert_allclose(grounds[0], grounds[1])
    assert np.isfinite(grounds[0]).all()


@pytest.mark.parametrize(
    ("tracker", "words"),
    [
        ({"name": "byetrack"}, r"unknown tracker 'byetrack'. Did you mean 'bytetrack'\?"),
        (
            {"name": "sfsort", "embeddings": True},
            "tracker 'sfsort' does not use embeddings",
        ),
        ({"options": {"wrong": 1}}, "^tracker: tracker 'botsort' has no option 'wrong'"),
    ],
)
def test_a_wrong_tracker_is_named(tracker: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        open_tracker(TrackerConfig.model_validate(tracker), fps=10)


@pytest.mark.parametrize(
    ("tracker", "fps", "kind"),
    [
        ({}, 7.99, LinkTracker),
        ({}, 8.0, SingleCameraTracker),
        ({}, 0.0, SingleCameraTracker),
        ({"options": {"match_thresh": 0.7}}, 4.0, SingleCameraTracker),
        ({"name": "botsort"}, 4.0, SingleCameraTracker),
        ({"name": "link"}, 25.0, LinkTracker),
    ],
)
def test_auto_selects_the_tracker_by_frame_rate(
    tracker: dict[str, object], fps: float, kind: type
) -> None:
    config = TrackerConfig.model_validate(tracker)
    assert tracker_name(config, fps) == ("link" if kind is LinkTracker else "botsort")
    assert isinstance(open_tracker(config, fps=fps or 25.0), kind)


def test_link_has_no_options() -> None:
    config = TrackerConfig.model_validate({"name": "link", "options": {"match_thresh": 0.7}})
    with pytest.raises(UserError, match="tracker link takes no options, got match_thresh"):
        open_tracker(config, fps=4)


def test_a_track_that_goes_on_as_somebody_else_is_parted() -> None:
    """Crops of one look up to 4 s, of another from then on."""
    camera = Camera(Clip("a", []), config(), None, SamePerson(0.5, 0.0))
    messages = []
    for step in range(80):
        update(camera, 10.0 + step / 10, BOX)
        for chosen in camera.take_due_crops():
            look = EMBEDDING if chosen.timestamp < 14.0 else EMBEDDING[::-1].copy()
            camera.add_embedding(chosen, look)
        camera.close_tracks()
        messages += camera.take_messages(ended=False)[1]
    camera.end()
    embed(camera)
    messages += camera.take_messages(ended=True)[1]
    closed = {m.track_id: m for m in messages if isinstance(m, TrackletMessage) and m.closed}
    assert sorted(closed) == [1, 2]
    first, second = tracklet_of(closed[1]), tracklet_of(closed[2])
    assert first.start == 10.0
    assert first.end < second.start == pytest.approx(14.0, abs=0.2)
    assert second.end == pytest.approx(17.9)
    assert (first.exemplars @ EMBEDDING).min() == 1.0
    assert (second.exemplars[:-1] @ EMBEDDING).max() == 0.0
    assert first.path[-1, 0] < second.path[0, 0]


def crop_times(looks: Callable[[float], np.ndarray], seconds: int) -> list[float]:
    """When a track of so many seconds at ten frames a second was embedded, in tenths."""
    camera = Camera(Clip("a", []), config(), None, SamePerson(0.5, 0.0))
    times = []
    for step in range(seconds * 10):
        update(camera, 10.0 + step / 10, BOX)
        for chosen in camera.take_due_crops():
            times.append(round(chosen.timestamp - 10.0, 1))
            camera.add_embedding(chosen, looks(chosen.timestamp))
        camera.close_tracks()
        camera.take_messages(ended=False)
    return times


def test_a_known_person_is_embedded_less_often() -> None:
    assert crop_times(lambda time: EMBEDDING, 9) == [0.0, 0.5, 1.0, 1.5, 2.0, 4.0, 6.0]


def test_a_doubted_track_is_embedded_as_often_as_a_new_one() -> None:
    other = EMBEDDING[::-1].copy()
    times = crop_times(lambda time: EMBEDDING if time < 14.0 else other, 10)
    assert times[:6] == [0.0, 0.5, 1.0, 1.5, 2.0, 4.0]
    # The crop of 4.0 is embedded at 6.0 and unlike the others.
    assert max(np.diff([t for t in times if t >= 6.0])) <= 0.5


def exchanged(batch: int) -> tuple[list[TrackletMessage], ObservationsMessage]:
    """Two walk up to each other and away again, and look from 12 s on as if they had gone through
    each other; so many frames are embedded at once."""
    camera = Camera(
        Clip("a", []), config(association={"interval_s": 5.0}), None, SamePerson(0.5, 0.0)
    )
    for step in range(40):
        way = abs(step - 20) * 3
        update(
            camera, 10.0 + step / 10, (70 - way, 30, 110 - way, 150), (90 + way, 30, 130 + way, 150)
        )
        if step % batch == batch - 1 or step == 39:
            for chosen in camera.take_due_crops():
                is_first = (chosen.track_id == 1) != (chosen.timestamp >= 12.0)
                camera.add_embedding(chosen, EMBEDDING if is_first else EMBEDDING[::-1].copy())
            camera.close_tracks()
    (observations,), messages = camera.take_messages(ended=True)
    assert isinstance(observations, ObservationsMessage)
    return [m for m in messages if isinstance(m, TrackletMessage)], observations


@pytest.mark.parametrize("batch", [1, 7])
def test_two_who_came_apart_as_each_other_are_exchanged(batch: int) -> None:
    tracklets, observations = exchanged(batch)
    first, second = map(tracklet_of, tracklets)
    assert (first.exemplars @ EMBEDDING).min() == 1.0
    assert (second.exemplars @ EMBEDDING).max() == 0.0
    left = unpack(observations.boxes)[:, 0]
    row = {
        (frame, track): x
        for frame, track, x in zip(
            unpack(observations.frame_index), unpack(observations.track_id), left, strict=True
        )
    }
    assert row[100, 1] < row[100, 2]
    assert row[119, 1] < row[119, 2]
    assert row[121, 1] > row[121, 2]
    assert row[139, 1] > row[139, 2]


def test_however_many_frames_are_embedded_at_once_the_same_is_sent() -> None:
    (one, seen), (other, also) = exchanged(1), exchanged(7)
    assert seen == also
    assert [(m.path, m.exemplars) for m in one] == [(m.path, m.exemplars) for m in other]


@pytest.mark.parametrize("before", [False, True], ids=["embedded once", "embedded by the tracker"])
def test_a_network_that_knows_words_tells_them_of_each_exemplar(before: bool) -> None:
    camera, embedder = Camera(Clip("a", []), config(), None, None, "0a1b"), WordyEmbedder()
    perception = Perception(None, embedder, tracker_embeddings=before)
    for number in range(20):
        frame = Frame("a", number, number / 10, BgrPicture(scene({BOX: RED})))
        detections = found([BOX])
        if before:
            detections = detections.with_embeddings(np.array([[1, 0, 0]], np.float32))
        camera.update(frame, detections)
    camera.end()
    perception.embed([camera])
    (message,) = [m for m in camera.take_messages(ended=True)[1] if isinstance(m, TrackletMessage)]
    assert message.closed
    assert message.model == "0a1b"
    assert message.text_vectors is not None
    assert message.visibilities is not None
    exemplars, words = unpack(message.exemplars), unpack(message.text_vectors)
    assert len(exemplars) == len(words) == len(unpack(message.visibilities)) > 0
    assert words.dtype == np.float16
    own = embedder.embed([scene({BOX: RED})[20:140, 60:100]])
    np.testing.assert_allclose(words, np.tile(own[:, ::-1], (len(words), 1)), atol=2e-2)
    # What the tracker embedded before stays the embedding of the track.
    assert np.allclose(exemplars, [1, 0, 0]) == before


def test_a_network_without_words_leaves_them_out() -> None:
    camera = Camera(Clip("a", []), config(), None)
    update(camera, 0.0, BOX)
    camera.end()
    Perception(None, ColourEmbedder(), tracker_embeddings=False).embed([camera])
    (message,) = [m for m in camera.take_messages(ended=True)[1] if isinstance(m, TrackletMessage)]
    assert len(unpack(message.exemplars)) == 1
    assert (message.text_vectors, message.visibilities, message.model) == (None, None, "")
