"""A live camera before and after its node was restarted."""

import math
from dataclasses import replace as as_replaced

import numpy as np
from msgspec.structs import replace

from builders import camera_sent, observations_sent, tracklet, tracklet_sent, watermark
from pipeline.bus.messages import (
    CameraMessage,
    Message,
    ObservationsMessage,
    TrackletMessage,
    pack,
    tracklet_of,
    unpack,
)
from pipeline.bus.outbox import SentState
from pipeline.bus.revisions import Revisions, joined
from pipeline.node.resume import ResumedCamera

FIRST: list[Message] = [
    observations_sent("gate", [4, 5], 1),
    camera_sent("gate", 6),
    tracklet_sent("gate", 1, 0.1, 1.0, closed=True),
    tracklet_sent("gate", 2, 0.2, 1.0),
    watermark("gate", 1.0),
]


Kept = tuple[SentState, dict[str, bytes]]


def remembered(*batches: list[Message], resumed: ResumedCamera | None = None) -> Kept:
    """The state and the crops that are stored once these are sent."""
    resumed = resumed or ResumedCamera("gate", SentState())
    stored: dict[str, bytes] = {}
    for batch in batches:
        state = resumed.record_sent(batch)
        for name, data in state.pop("crops").items():
            stored.pop(name, None)
            if data is not None:
                stored[name] = data
    return replace(SentState(), **state), stored


def last(message: Message) -> Message:
    """What is kept of a message beside its one crop and all but the end of its path."""
    assert isinstance(message, TrackletMessage)
    exemplars, path = unpack(message.exemplars)[:0], unpack(message.path)
    none = pack(exemplars)
    return replace(message, exemplars=none, fresh=[], path=pack(path[1:]), after=path[0, 0])


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
    sent, crops = remembered(FIRST)
    assert (sent.frames, sent.frame_index, sent.track_id, sent.at) == (6, 5, 2, 1.0)
    assert sent.start == 0.0
    assert sent.open == [last(FIRST[3])]
    assert [*crops] == ["2:0.2"]


def test_a_track_without_news_stays_open() -> None:
    closed = tracklet_sent("gate", 2, 0.2, 3.0, closed=True)
    quiet: list[Message] = [camera_sent("gate", 9), watermark("gate", 2.0)]
    assert remembered(FIRST, quiet)[0].open == [last(FIRST[3])]
    state, crops = remembered(FIRST, quiet, [closed, watermark("gate", 3.0)])
    assert (state.open, crops) == ([], {})


def test_open_tracks_are_closed_right_after_the_last_watermark() -> None:
    tracklet, mark = ResumedCamera("gate", *remembered(FIRST)).closing_messages()
    at = math.nextafter(1.0, math.inf)
    first = FIRST[3]
    assert isinstance(first, TrackletMessage)
    end = replace(last(first), exemplars=first.exemplars, fresh=None)
    assert tracklet == replace(end, closed=True, revision=2, at=at)
    assert isinstance(tracklet, TrackletMessage)
    np.testing.assert_array_equal(
        joined(tracklet, tracklet_of(first)).path, tracklet_of(first).path
    )
    assert mark == watermark("gate", at)


def test_frame_indices_and_track_ids_continue() -> None:
    resumed = ResumedCamera("gate", *remembered(FIRST))
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
    second = ResumedCamera("gate", *remembered(FIRST))
    second.record_sent(second.closing_messages())
    fresh = tracklet_sent("gate", 1, 5.0, 6.0)
    batch = [second.renumbered(fresh), watermark("gate", 6.0)]
    third = ResumedCamera("gate", *remembered(batch, resumed=second))
    tracklet, _ = third.closing_messages()
    assert isinstance(tracklet, TrackletMessage)
    at = math.nextafter(6.0, math.inf)
    assert (tracklet.track_id, tracklet.closed, tracklet.revision, tracklet.at) == (3, True, 7, at)
    assert tracklet.exemplars == fresh.exemplars
    assert third.renumbered(fresh) == replace(fresh, track_id=4)


def test_a_closed_track_has_all_crops_that_were_sent() -> None:
    revisions, vectors = Revisions(), np.eye(3, dtype=np.float32)
    first = tracklet("gate", 1, 0.0, 2.0)
    grown = [
        as_replaced(
            first,
            revision=number,
            exemplars=vectors[kept],
            qualities=np.full(len(kept), 0.5, np.float32),
            exemplar_times=np.array(kept, np.float64),
            text_vectors=vectors[kept],
            visibilities=vectors[kept],
        )
        for number, kept in enumerate([[0], [0, 1], [1, 2]])
    ]
    batches: list[list[Message]] = [[revisions.next(one, 3.0)] for one in grown]
    state, crops = remembered(*batches, [watermark("gate", 3.0)])
    assert sorted(crops) == ["1:1.0", "1:2.0"]
    closed, _ = ResumedCamera("gate", state, crops).closing_messages()
    assert isinstance(closed, TrackletMessage)
    for array in (closed.exemplars, closed.text_vectors, closed.visibilities):
        assert array is not None
        np.testing.assert_array_equal(unpack(array), vectors[1:])
    # A crop that Redis lost is left out.
    del crops["1:1.0"]
    closed, _ = ResumedCamera("gate", state, crops).closing_messages()
    assert isinstance(closed, TrackletMessage)
    np.testing.assert_array_equal(unpack(closed.exemplars), vectors[2:])
    assert unpack(closed.exemplar_times).tolist() == [2.0]
