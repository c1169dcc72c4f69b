"""Open tracks on their way: what is new, and what a reader makes of it."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from pipeline.bus.messages import TrackletMessage, decode, encode, pack, tracklet_message, unpack
from pipeline.bus.revisions import Revisions, is_missing, joined
from trackers.tracklet import Tracklet

DIMENSION = 8


def vector(number: int) -> np.ndarray:
    """A vector that float16 holds exactly."""
    chance = np.random.default_rng(number)
    return chance.normal(size=DIMENSION).astype(np.float16).astype(np.float32)


def revision(
    number: int, crops: dict[float, int], steps: list[float], *, ground: bool = False
) -> Tracklet:
    """A track with ``crops``, the number of a vector at each time, and a path at ``steps``."""
    path = np.array([[time, 10 * time, 200.0, 80.0] for time in steps])
    vectors = np.array([vector(one) for one in crops.values()], np.float32)
    return Tracklet(
        camera_id="gate",
        track_id=5,
        revision=number,
        start=steps[0],
        end=steps[-1],
        count=len(steps),
        closed=False,
        exemplars=vectors.reshape(len(crops), -1 if crops else 0),
        qualities=np.linspace(0.4, 0.9, len(crops), dtype=np.float32),
        exemplar_times=np.array([*crops]),
        path=path,
        ground=path[:, 1:3] / 10 if ground else None,
    )


def assert_same(found: Tracklet, expected: Tracklet) -> None:
    for name in ("exemplars", "qualities", "exemplar_times", "path", "ground"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), name)
    for name in ("key", "revision", "start", "end", "count", "closed"):
        assert getattr(found, name) == getattr(expected, name)


def sent(tracklets: list[Tracklet]) -> list[TrackletMessage]:
    """The messages of these revisions, as they are read."""
    revisions = Revisions("0a")
    messages = [decode(encode(revisions.next(one, one.end))) for one in tracklets]
    return [message for message in messages if isinstance(message, TrackletMessage)]


GROWING = [
    revision(1, {0.0: 1}, [0.0]),
    revision(2, {0.0: 1, 0.5: 2}, [0.0, 0.2, 0.4]),
    revision(3, {0.0: 1, 0.5: 2}, [0.0, 0.2, 0.4, 0.6, 0.7]),
    # The last step was no sample, and a better crop took the place of the first.
    revision(4, {0.5: 2, 1.5: 3}, [0.0, 0.2, 0.4, 0.6, 0.8]),
    # The path was thinned out, and from half a second on it was another person.
    revision(5, {0.5: 4, 1.5: 3}, [0.0, 0.4, 0.8, 1.0]),
    # It was cut off.
    revision(6, {0.5: 4}, [0.0, 0.4]),
    revision(7, {}, [0.0, 0.4, 0.6]),
    revision(8, {0.6: 5}, [0.0, 0.4, 0.6]),
]


@pytest.mark.parametrize("ground", [False, True])
def test_a_reader_has_what_was_sent(ground: bool) -> None:
    grown = [replace(one, ground=one.path[:, 1:3] / 10 if ground else None) for one in GROWING]
    known = None
    for tracklet, message in zip(grown, sent(grown), strict=True):
        known = joined(message, known)
        assert_same(known, tracklet)
        assert not is_missing(message, known)


def test_only_what_is_new_is_sent() -> None:
    messages = sent(GROWING)
    assert [m.fresh for m in messages] == [None, [1], [], [1], [0], [], [], [0]]
    assert [m.after for m in messages] == [None, 0.0, 0.4, 0.6, 0.0, 0.0, 0.4, 0.4]
    assert [m.path.shape[0] for m in messages] == [1, 2, 2, 1, 3, 1, 1, 1]
    assert [m.exemplars.shape[0] for m in messages] == [1, 1, 0, 1, 1, 0, 0, 1]
    assert messages[0].exemplars.dtype == "<f2"


def test_a_track_that_goes_on_is_whole_once_a_minute() -> None:
    steps = [float(second) for second in range(200)]
    grown = [revision(n, {0.0: 1}, steps[: n + 1]) for n in range(1, 130)]
    assert [m.revision for m in sent(grown) if m.is_whole] == [1, 64, 128]


def test_what_a_reader_never_had_is_missing_until_it_is_sent_again() -> None:
    late = sent(GROWING)[3]
    found = joined(late, None)
    assert is_missing(late, found)
    np.testing.assert_array_equal(found.exemplars, [vector(3)])
    np.testing.assert_array_equal(found.path[:, 0], [0.8])
    whole = tracklet_message(GROWING[4], 2.0)
    assert not is_missing(whole, joined(whole, found))


def test_vectors_and_paths_of_another_form_are_not_joined() -> None:
    late = sent(GROWING)[3]
    wide = replace(GROWING[2], exemplars=np.ones((2, 3), np.float32), path=np.ones((5, 6)))
    assert_same(joined(late, wide), joined(late, None))


@pytest.mark.parametrize(
    "changes",
    [
        {"fresh": [2]},
        {"fresh": [1, 1]},
        {"fresh": []},
        {"closed": True},
        {"qualities": pack(np.ones(1, np.float32))},
        {"exemplar_times": pack(np.array([0.0, np.nan]))},
        {"after": np.nan},
        {"exemplars": pack(np.ones((1, DIMENSION), np.float32))},
    ],
    ids=["no row", "twice", "too few", "closed", "lengths", "nan", "no time", "float32"],
)
def test_what_does_not_fit_is_refused(changes: dict[str, object]) -> None:
    good = sent(GROWING)[1]
    both = {**msgspec.structs.asdict(good), **changes, "type": "tracklet"}
    raw = msgspec.to_builtins(both, builtin_types=(bytes,))
    with pytest.raises((ValueError, msgspec.ValidationError)):
        decode(msgspec.msgpack.encode(raw))
    assert unpack(good.exemplars).shape == (1, DIMENSION)
