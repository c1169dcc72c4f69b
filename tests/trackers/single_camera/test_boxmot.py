import logging
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from trackers.detections import Detections, no_detections
from trackers.single_camera.boxmot import (
    DEFAULT_TRACKER,
    TRACKER_NAMES,
    SingleCameraTracker,
    needs_image,
    takes_embeddings,
    tracker_options,
)

FPS = 10.0
#: Ten frames.
BUFFER_S = 1.0
WITH_EMBEDDINGS = [name for name in TRACKER_NAMES if takes_embeddings(name)]

every_tracker = pytest.mark.parametrize("name", TRACKER_NAMES)


def tracker(name: str, **settings: object) -> SingleCameraTracker:
    return SingleCameraTracker(name, **{"buffer_s": BUFFER_S, "fps": FPS, **settings})


def people(*boxes: tuple[float, float, float, float], score: float = 0.9) -> Detections:
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4), np.full(len(boxes), score, np.float32)
    )


def standing() -> Detections:
    return people((100, 100, 140, 220))


def crossing(frames: int = 40) -> Iterator[Detections]:
    """One person walks to the right, a nearer one to the left; they overlap halfway."""
    for step in np.arange(frames) * 6.0:
        yield people((100 + step, 100, 140 + step, 220), (330 - step, 110, 390 - step, 290))


def run(tracker: SingleCameraTracker, frames: list[Detections]) -> list[Detections]:
    return [tracker.update(frame, None, index / FPS) for index, frame in enumerate(frames)]


def ids(outputs: list[Detections]) -> list[list[int]]:
    return [[] if frame.track_ids is None else frame.track_ids.tolist() for frame in outputs]


@every_tracker
def test_two_people_who_cross_keep_their_ids(name: str) -> None:
    frames = list(crossing())
    outputs = run(tracker(name), frames)

    seen: dict[int, set[int]] = {}
    for frame, output in zip(frames, outputs, strict=True):
        for track_id, box in zip(output.track_ids, output.boxes, strict=True):
            person = int(np.flatnonzero((frame.boxes == box).all(axis=1))[0])
            seen.setdefault(person, set()).add(int(track_id))
    assert seen[0] | seen[1] == {1, 2}
    assert len(seen[0]) == len(seen[1]) == 1
    assert sum(len(output) for output in outputs) >= 2 * 40 - 6


@every_tracker
def test_boxes_and_scores_come_out_as_they_went_in(name: str) -> None:
    frames = list(crossing(12))
    for frame, output in zip(frames, run(tracker(name), frames), strict=True):
        rows = {(*box, score) for box, score in zip(frame.boxes, frame.scores, strict=True)}
        assert {
            (*box, score) for box, score in zip(output.boxes, output.scores, strict=True)
        } <= rows
        assert output.embeddings is None
        assert output.track_ids.dtype == np.int64


@every_tracker
@pytest.mark.parametrize(("away", "same"), [(3, True), (9, True), (10, False), (30, False)])
def test_a_track_survives_absence_up_to_the_buffer(name: str, away: int, same: bool) -> None:
    # Seen again after 10 frames, 9 of them empty, is 1 s after the last time: still the same.
    frames = [standing()] * 8 + [no_detections()] * away + [standing()] * 8
    outputs = ids(run(tracker(name), frames))

    assert outputs[7] == [1]
    assert not any(outputs[8 : 8 + away])
    assert (outputs[-1] == [1]) is same
    assert len(outputs[-1]) == 1


@every_tracker
def test_the_buffer_is_in_seconds_at_any_frame_rate(name: str) -> None:
    for fps, away in ((5.0, 4), (20.0, 19)):
        for extra, same in ((0, True), (1, False)):
            frames = [standing()] * 8 + [no_detections()] * (away + extra) + [standing()] * 8
            one = tracker(name, fps=fps)
            outputs = [one.update(frame, None, i / fps) for i, frame in enumerate(frames)]
            assert (ids(outputs)[-1] == [1]) is same, (fps, extra)


@every_tracker
def test_a_gap_in_time_longer_than_the_buffer_ends_every_track(name: str) -> None:
    one = tracker(name)
    before = [one.update(standing(), None, index / FPS) for index in range(8)]
    after = [one.update(standing(), None, 60 + index / FPS) for index in range(8)]

    assert ids(before)[-1] == [1]
    assert ids(after)[-1] == [2]


@every_tracker
def test_dropped_frames_within_the_buffer_keep_the_track(name: str) -> None:
    one = tracker(name)
    outputs = [one.update(standing(), None, time) for time in (0.0, 0.1, 0.2, 0.3, 0.4, 1.3, 1.4)]

    assert ids(outputs)[-1] == [1]


@every_tracker
def test_no_detections(name: str) -> None:
    outputs = run(tracker(name), [no_detections()] * 3 + list(crossing(10)) + [no_detections()])

    assert ids(outputs)[:3] == [[], [], []]
    assert ids(outputs)[-2] == [1, 2]
    assert len(outputs[-1]) == 0


@every_tracker
def test_a_clip_of_one_frame(name: str) -> None:
    (output,) = run(tracker(name), [people((0, 0, 40, 120), (200, 0, 240, 120))])

    # A tracker that waits for a second frame reports nothing; the others report both.
    assert ids([output]) in ([[]], [[1, 2]])


@every_tracker
def test_low_scores_do_not_start_a_track(name: str) -> None:
    outputs = run(tracker(name), [people((0, 0, 40, 120), score=0.2)] * 6)

    assert not any(ids(outputs))


def crowd(seed: int, frames: int = 60) -> list[Detections]:
    """Six people on random walks, each sometimes missed, with some false boxes."""
    rng = np.random.default_rng(seed)
    places = rng.uniform(50, 500, (6, 2))
    result = []
    for _ in range(frames):
        places = places + rng.normal(0, 4, places.shape)
        seen = places[rng.random(6) > 0.15]
        centres = np.concatenate([seen, rng.uniform(0, 600, (rng.integers(0, 2), 2))])
        half = np.array([20, 60])
        boxes = np.concatenate([centres - half, centres + half], axis=1)
        scores = rng.uniform(0.1, 1, len(boxes))
        result.append(Detections(boxes.astype(np.float32), scores.astype(np.float32)))
    return result


def assert_same(one: list[Detections], other: list[Detections]) -> None:
    assert ids(one) == ids(other)
    for a, b in zip(one, other, strict=True):
        assert np.array_equal(a.boxes, b.boxes)


@every_tracker
def test_interleaved_trackers_are_independent(name: str) -> None:
    first, second = crowd(1), crowd(2)
    alone = run(tracker(name), first), run(tracker(name), second)
    a, b = tracker(name), tracker(name)

    together: tuple[list[Detections], list[Detections]] = ([], [])
    for index in range(len(first)):
        together[0].append(a.update(first[index], None, index / FPS))
        together[1].append(b.update(second[index], None, index / FPS))

    assert any(ids(alone[0]))
    assert ids(alone[0]) != ids(alone[1])
    assert_same(together[0], alone[0])
    assert_same(together[1], alone[1])


@every_tracker
def test_no_id_is_used_twice_in_a_frame_and_all_begin_at_one(name: str) -> None:
    for frame in ids(run(tracker(name), crowd(3))):
        assert len(set(frame)) == len(frame)
        assert frame == sorted(frame)
        assert all(track_id >= 1 for track_id in frame)


def test_the_time_origin_does_not_matter() -> None:
    frames = crowd(4)
    late = tracker(DEFAULT_TRACKER)
    outputs = [late.update(frame, None, 1.7e9 + i / FPS) for i, frame in enumerate(frames)]

    assert ids(outputs) == ids(run(tracker(DEFAULT_TRACKER), frames))


def test_the_trackers_take_the_detections_but_do_not_change_them() -> None:
    for name in TRACKER_NAMES:
        frames = crowd(5, 20)
        copies = [(frame.boxes.copy(), frame.scores.copy()) for frame in frames]
        run(tracker(name), frames)
        for frame, (boxes, scores) in zip(frames, copies, strict=True):
            assert np.array_equal(frame.boxes, boxes)
            assert np.array_equal(frame.scores, scores)


def test_read_only_arrays_are_accepted() -> None:
    frame = standing()
    frame.boxes.flags.writeable = False
    frame.scores.flags.writeable = False

    assert ids(run(tracker(DEFAULT_TRACKER), [frame] * 2)) == [[1], [1]]


def test_bytetrack_does_not_keep_all_ended_tracks() -> None:
    one = tracker("bytetrack", buffer_s=0.1)
    places = np.arange(30) * 50.0
    seen: set[int] = set()
    for index in range(240):
        # Thirty people for two frames, each time elsewhere, then none for three.
        shift = index // 5 * 200.0
        group = people(*[(x, shift, x + 40, shift + 120) for x in places])
        output = one.update(group if index % 5 < 2 else no_detections(), None, index / FPS)
        seen |= set(output.track_ids.tolist())

    assert len(seen) == 48 * 30
    assert len(one._tracker.removed_stracks) == 1000


# Appearance


@pytest.mark.parametrize("name", WITH_EMBEDDINGS)
def test_embeddings_stay_with_their_detections(name: str) -> None:
    looks = np.eye(2, 8, dtype=np.float32)
    frames = [frame.with_embeddings(looks) for frame in crossing(12)]
    outputs = run(tracker(name, use_embeddings=True), frames)

    assert len(outputs[-1]) == 2
    for output in outputs:
        for box, look in zip(output.boxes, output.embeddings, strict=True):
            person = 0 if box[1] == 100 else 1
            assert np.array_equal(look, looks[person])


def swapped_after_a_while(looks: np.ndarray) -> list[Detections]:
    """Two people side by side who change places from one frame to the next."""
    pair = people((100, 100, 140, 220), (112, 100, 152, 220))
    before, after = pair.with_embeddings(looks), pair.with_embeddings(looks[::-1].copy())
    return [before] * 10 + [after] * 3


def test_appearance_decides_where_motion_cannot() -> None:
    frames = swapped_after_a_while(np.eye(2, 8, dtype=np.float32))
    motion = run(tracker("botsort"), frames)
    looks = run(tracker("botsort", use_embeddings=True), frames)

    assert motion[-1].boxes[:, 0].tolist() == [100, 112]
    assert looks[-1].boxes[:, 0].tolist() == [112, 100]


@pytest.mark.parametrize("name", WITH_EMBEDDINGS)
def test_without_use_embeddings_they_are_ignored(name: str) -> None:
    frames = crowd(6, 30)
    rng = np.random.default_rng(0)
    with_noise = [
        frame.with_embeddings(rng.normal(size=(len(frame), 4)).astype(np.float32))
        for frame in frames
    ]

    assert_same(run(tracker(name), with_noise), run(tracker(name), frames))


@pytest.mark.parametrize("name", WITH_EMBEDDINGS)
def test_missing_embeddings_are_an_error(name: str) -> None:
    one = tracker(name, use_embeddings=True)
    one.update(no_detections(), None, 0.0)

    with pytest.raises(ValueError, match="uses embeddings, but there are none"):
        one.update(standing(), np.zeros((240, 320, 3), np.uint8), 0.1)


@pytest.mark.parametrize("name", sorted(set(TRACKER_NAMES) - set(WITH_EMBEDDINGS)))
def test_a_tracker_without_appearance_refuses_embeddings(name: str) -> None:
    with pytest.raises(ValueError, match=f"'{name}' does not use embeddings. These do: boosttrack"):
        tracker(name, use_embeddings=True)


# The picture


def pictures(frames: int) -> list[np.ndarray]:
    """A textured scene that the camera pans over, 12 pixels a frame."""
    scene = np.random.default_rng(0).integers(0, 255, (30, 60, 3), dtype=np.uint8)
    scene = scene.repeat(8, axis=0).repeat(16, axis=1)
    return [np.ascontiguousarray(scene[:, 12 * i : 12 * i + 320]) for i in range(frames)]


@pytest.mark.parametrize("name", WITH_EMBEDDINGS)
def test_camera_motion_compensation_needs_the_image(name: str) -> None:
    assert needs_image(name, {"cmc": True})
    one = tracker(name, options={"cmc": True})

    with pytest.raises(ValueError, match="needs the image of every frame"):
        one.update(standing(), None, 0.0)
    for index, picture in enumerate(pictures(5)):
        output = one.update(standing(), picture, (1 + index) / FPS)
    assert len(output) == 1


@every_tracker
def test_no_tracker_needs_the_image_by_default(name: str) -> None:
    assert not needs_image(name)
    assert needs_image(name, {"asso_func": "centroid"})
    picture = np.zeros((480, 640, 3), np.uint8)

    frames = list(crossing(10))
    plain, pictured = tracker(name), tracker(name)
    with_picture = [pictured.update(f, picture, i / FPS) for i, f in enumerate(frames)]
    assert_same(run(plain, frames), with_picture)


# Bad input


def test_an_unknown_tracker_is_named_with_the_known_ones() -> None:
    for call in (tracker, needs_image, takes_embeddings, tracker_options):
        with pytest.raises(
            ValueError, match=r"unknown tracker 'bytetrak'\. Known: boosttrack, bot"
        ):
            call("bytetrak")


def test_an_unknown_option_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'bytetrack' has no option 'tresh'\. Known: .*min_conf"):
        tracker("bytetrack", options={"tresh": 1})


@pytest.mark.parametrize("key", ["track_buffer", "frame_rate", "variable_dt"])
def test_derived_settings_are_not_options(key: str) -> None:
    with pytest.raises(ValueError, match=f"no option '{key}'"):
        tracker("bytetrack", options={key: 1})


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("bytetrack", "match_thresh", "high"),
        ("bytetrack", "match_thresh", True),
        ("ocsort", "use_byte", 1),
        ("ocsort", "delta_t", 2.5),
        ("ocsort", "asso_func", 3),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(name: str, key: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"option '{key}' of tracker '{name}': expected a value"):
        tracker(name, options={key: value})


def test_a_value_that_the_tracker_refuses_names_the_tracker() -> None:
    with pytest.raises(ValueError, match="tracker 'ocsort': "):
        tracker("ocsort", options={"asso_func": "nonsense"})


@every_tracker
def test_every_default_can_be_given_as_an_option(name: str) -> None:
    options = tracker_options(name)
    frames = crowd(7, 20)

    assert_same(run(tracker(name, options=options), frames), run(tracker(name), frames))


def test_an_option_has_an_effect() -> None:
    frames = [standing()] * 3

    assert ids(run(tracker("bytetrack", options={"track_thresh": 0.95}), frames)) == [[], [], []]
    assert ids(run(tracker("bytetrack", options={"track_thresh": 0.85}), frames)) == [[1]] * 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"buffer_s": 0.0}, "buffer_s must be more than 0 seconds, got 0.0"),
        ({"buffer_s": float("nan")}, "buffer_s must be more than 0"),
        ({"fps": -1.0}, "fps must be more than 0, got -1.0"),
    ],
)
def test_durations_and_rates_are_positive(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tracker("bytetrack", **settings)


@pytest.mark.parametrize("second", [1.0, 0.5, float("nan")])
def test_timestamps_must_increase(second: float) -> None:
    one = tracker("bytetrack")
    one.update(standing(), None, 1.0)

    with pytest.raises(ValueError, match="timestamps of a camera must increase"):
        one.update(standing(), None, second)


def test_boxmot_logs_nothing(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        for name in TRACKER_NAMES:
            run(tracker(name), [standing()])

    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_botsort_reports_a_track_from_its_first_box_on() -> None:
    """The second person comes in later, and is seen once and again after a gap."""
    both = people((100, 100, 140, 220), (400, 100, 440, 220))
    outputs = run(tracker("botsort"), [standing(), both, standing(), standing(), both])

    assert ids(outputs) == [[1], [1, 2], [1], [1], [1, 2]]


_WITHOUT_TORCH = """
import sys
import numpy as np
from trackers.detections import Detections
from trackers.single_camera.boxmot import SingleCameraTracker
seen = Detections(np.array([[9, 9, 50, 90]], np.float32), np.array([0.9], np.float32))
for name in {names}:
    tracker = SingleCameraTracker(name, buffer_s=1, fps=10)
    assert [len(tracker.update(seen, None, at)) for at in (0.0, 0.1, 0.2, 0.3)][-1] == 1
    assert "torch" not in sys.modules, name
tracker = SingleCameraTracker("botsort", buffer_s=1, fps=10, use_embeddings=True)
seen = Detections(seen.boxes, seen.scores, embeddings=np.ones((1, 8), np.float32))
assert len(tracker.update(seen, None, 0.0)) == 1
assert sys.modules["torch"].Tensor
"""


def test_only_embeddings_import_torch() -> None:
    """Except with StrongSORT, which computes with it."""
    names = sorted(set(TRACKER_NAMES) - {"strongsort"})
    script = _WITHOUT_TORCH.format(names=names)
    subprocess.run([sys.executable, "-c", script], check=True)
