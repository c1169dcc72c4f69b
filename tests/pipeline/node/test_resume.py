"""A live camera before and after its node was started again."""

import math

import numpy as np
from msgspec.structs import replace

from builders import camera_sent, observations_sent, tracklet_sent, watermark
from pipeline.bus.messages import CameraMessage, Message, ObservationsMessage, unpack
from pipeline.bus.outbox import Sent
from pipeline.node.resume import Continued

FIRST: list[Message] = [
    observations_sent("gate", [4, 5], 1),
    camera_sent("gate", 6),
    tracklet_sent("gate", 1, 0.1, 1.0, closed=True),
    tracklet_sent("gate", 2, 0.2, 1.0),
    watermark("gate", 1.0),
]


def remembered(*batches: list[Message]) -> Sent:
    continued = Continued("gate", Sent())
    for batch in batches:
        memory = continued.remember(batch)
    return replace(Sent(), **memory)


def test_a_camera_that_begins_is_told_as_it_is() -> None:
    continued = Continued("gate", Sent())
    assert continued.endings() == []
    for message in FIRST:
        if isinstance(message, ObservationsMessage):
            shifted = continued.shifted(message)
            assert isinstance(shifted, ObservationsMessage)
            assert list(unpack(shifted.frame_index)) == [4, 5]
        else:
            assert continued.shifted(message) == message


def test_what_the_next_node_has_to_know_is_remembered() -> None:
    sent = remembered(FIRST)
    assert (sent.frames, sent.frame_index, sent.track_id, sent.at) == (6, 5, 2, 1.0)
    assert sent.start == 0.0
    assert sent.open == [FIRST[3]]


def test_a_track_that_says_nothing_new_stays_open() -> None:
    closed = tracklet_sent("gate", 2, 0.2, 3.0, closed=True)
    quiet: list[Message] = [camera_sent("gate", 9), watermark("gate", 2.0)]
    assert remembered(FIRST, quiet).open == [FIRST[3]]
    assert remembered(FIRST, quiet, [closed, watermark("gate", 3.0)]).open == []


def test_the_open_tracks_are_ended_right_after_what_was_sent() -> None:
    tracklet, mark = Continued("gate", remembered(FIRST)).endings()
    at = math.nextafter(1.0, math.inf)
    assert tracklet == replace(FIRST[3], closed=True, revision=2, at=at)
    assert mark == watermark("gate", at)


def test_frames_and_tracks_are_numbered_on() -> None:
    continued = Continued("gate", remembered(FIRST))
    rows = continued.shifted(observations_sent("gate", [0, 1], 1))
    assert isinstance(rows, ObservationsMessage)
    assert list(unpack(rows.frame_index)) == [6, 7]
    assert list(unpack(rows.track_id)) == [3, 3]
    np.testing.assert_array_equal(unpack(rows.timestamp), [0.0, 0.1])
    fresh = tracklet_sent("gate", 1, 5.0, 6.0)
    assert continued.shifted(fresh) == replace(fresh, track_id=3)
    state = camera_sent("gate", 4)
    shifted = continued.shifted(CameraMessage(replace(state.camera, start=7.0, dropped=2)))
    assert isinstance(shifted, CameraMessage)
    assert (shifted.camera.frames, shifted.camera.start, shifted.camera.dropped) == (10, 0.0, 2)


def test_a_third_node_goes_on_after_the_second() -> None:
    second = Continued("gate", remembered(FIRST))
    second.remember(second.endings())
    fresh = tracklet_sent("gate", 1, 5.0, 6.0)
    batch = [second.shifted(fresh), watermark("gate", 6.0)]
    memory = second.remember(batch)
    third = Continued("gate", replace(Sent(), **memory))
    tracklet, _ = third.endings()
    assert tracklet == replace(batch[0], closed=True, revision=7, at=math.nextafter(6.0, math.inf))
    assert third.shifted(fresh) == replace(fresh, track_id=4)
