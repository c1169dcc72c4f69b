"""A live camera before and after its node was restarted."""

import math

import numpy as np
from msgspec.structs import replace

from builders import camera_sent, observations_sent, tracklet_sent, watermark
from pipeline.bus.messages import CameraMessage, Message, ObservationsMessage, unpack
from pipeline.bus.outbox import SentState
from pipeline.node.resume import ResumedCamera

FIRST: list[Message] = [
    observations_sent("gate", [4, 5], 1),
    camera_sent("gate", 6),
    tracklet_sent("gate", 1, 0.1, 1.0, closed=True),
    tracklet_sent("gate", 2, 0.2, 1.0),
    watermark("gate", 1.0),
]


def remembered(*batches: list[Message]) -> SentState:
    resumed = ResumedCamera("gate", SentState())
    for batch in batches:
        state = resumed.record_sent(batch)
    return replace(SentState(), **state)


def test_a_first_node_sends_messages_unchanged() -> None:
    resumed = ResumedCamera("gate", SentState())
    assert resumed.closing_messages() == []
    for message in FIRST:
        if isinstance(message, ObservationsMessage):
            shifted = resumed.renumbered(message)
            assert isinstance(shifted, ObservationsMessage)
            assert list(unpack(shifted.frame_index)) == [4, 5]
        else:
            assert resumed.renumbered(message) == message


def test_the_state_for_the_next_node_is_kept() -> None:
    sent = remembered(FIRST)
    assert (sent.frames, sent.frame_index, sent.track_id, sent.at) == (6, 5, 2, 1.0)
    assert sent.start == 0.0
    assert sent.open == [FIRST[3]]


def test_a_track_without_news_stays_open() -> None:
    closed = tracklet_sent("gate", 2, 0.2, 3.0, closed=True)
    quiet: list[Message] = [camera_sent("gate", 9), watermark("gate", 2.0)]
    assert remembered(FIRST, quiet).open == [FIRST[3]]
    assert remembered(FIRST, quiet, [closed, watermark("gate", 3.0)]).open == []


def test_open_tracks_are_closed_right_after_the_last_watermark() -> None:
    tracklet, mark = ResumedCamera("gate", remembered(FIRST)).closing_messages()
    at = math.nextafter(1.0, math.inf)
    assert tracklet == replace(FIRST[3], closed=True, revision=2, at=at)
    assert mark == watermark("gate", at)


def test_frame_indices_and_track_ids_continue() -> None:
    resumed = ResumedCamera("gate", remembered(FIRST))
    rows = resumed.renumbered(observations_sent("gate", [0, 1], 1))
    assert isinstance(rows, ObservationsMessage)
    assert list(unpack(rows.frame_index)) == [6, 7]
    assert list(unpack(rows.track_id)) == [3, 3]
    np.testing.assert_array_equal(unpack(rows.timestamp), [0.0, 0.1])
    fresh = tracklet_sent("gate", 1, 5.0, 6.0)
    assert resumed.renumbered(fresh) == replace(fresh, track_id=3)
    state = camera_sent("gate", 4)
    shifted = resumed.renumbered(CameraMessage(replace(state.camera, start=7.0, dropped=2)))
    assert isinstance(shifted, CameraMessage)
    assert (shifted.camera.frames, shifted.camera.start, shifted.camera.dropped) == (10, 0.0, 2)


def test_a_third_node_continues_after_the_second() -> None:
    second = ResumedCamera("gate", remembered(FIRST))
    second.record_sent(second.closing_messages())
    fresh = tracklet_sent("gate", 1, 5.0, 6.0)
    batch = [second.renumbered(fresh), watermark("gate", 6.0)]
    state = second.record_sent(batch)
    third = ResumedCamera("gate", replace(SentState(), **state))
    tracklet, _ = third.closing_messages()
    assert tracklet == replace(batch[0], closed=True, revision=7, at=math.nextafter(6.0, math.inf))
    assert third.renumbered(fresh) == replace(fresh, track_id=4)
