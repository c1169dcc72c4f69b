import math
from typing import Any

import msgspec
import numpy as np
import pytest

from builders import (
    camera_sent,
    identity_sent,
    observations_sent,
    tracklet,
    tracklet_sent,
    watermark,
)
from buses import broken
from pipeline.bus.messages import (
    Array,
    CorrectionMessage,
    CorrectMessage,
    EndMessage,
    JoinMessage,
    Message,
    NodeMessage,
    ViewOfGround,
    decode,
    encode,
    pack,
    tracklet_message,
    tracklet_of,
    unpack,
    view_message,
    view_of_message,
)
from trackers.association.corrections import Change, Correction, Part
from trackers.ground.view import View


def plain(value: object) -> Any:
    return msgspec.to_builtins(value, builtin_types=(bytes,))


EVERY_KIND: list[Message] = [
    observations_sent("gate", [3, 4], 1),
    camera_sent("gate", 5),
    tracklet_sent("gate", 1, 0.0, 2.0),
    watermark("gate", 2.0, ended=True),
    identity_sent("gate", 1, 7, 2.0),
    EndMessage(2.0),
    JoinMessage("gate"),
    NodeMessage("here", open=True),
]


@pytest.mark.parametrize("message", EVERY_KIND, ids=lambda message: type(message).__name__)
def test_every_message_survives_the_round_trip(message: Message) -> None:
    assert decode(encode(message)) == message


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.float32).reshape(2, 3),
        np.arange(6, dtype=np.float64).reshape(2, 3).T,
        np.array([math.nan, -math.inf]),
        np.zeros((0, 4), np.float32),
        np.array([-1, 2**62], np.int64),
    ],
    ids=["float32", "columns first", "nan", "empty", "int64"],
)
def test_arrays_keep_type_shape_and_values(array: np.ndarray) -> None:
    again = unpack(pack(array))
    assert again.dtype == array.dtype
    np.testing.assert_array_equal(again, array)


def test_a_tracklet_survives_the_round_trip_with_and_without_ground() -> None:
    plain = tracklet("gate", 3, 1.0, 2.0, revision=4, closed=True)
    back = tracklet_of(decode(encode(tracklet_message(plain, 2.5))))  # type: ignore[arg-type]
    assert (back.key, back.revision, back.closed, back.ground) == (("gate", 3), 4, True, None)
    np.testing.assert_array_equal(back.exemplars, plain.exemplars)
    np.testing.assert_array_equal(back.path, plain.path)
    ground = np.array([[0.5, math.nan], [1.0, 2.0]])
    calibrated = msgspec.structs.replace(tracklet_message(plain, 2.5), ground=pack(ground))
    np.testing.assert_array_equal(tracklet_of(calibrated).ground, ground)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("text_vectors", np.zeros((2, 4), np.float16)),
        ("text_vectors", np.full((1, 4), np.nan, np.float16)),
        ("text_vectors", np.zeros((1, 4), np.int64)),
        ("visibilities", np.zeros(1, np.float16)),
    ],
    ids=["too many", "nan", "whole numbers", "one row"],
)
def test_what_is_said_of_the_crops_has_a_row_for_each(name: str, array: np.ndarray) -> None:
    message = tracklet_message(tracklet("gate", 3, 1.0, 2.0), 2.5)
    with pytest.raises(ValueError, match=r"row for each exemplar|finite|floating-point"):
        msgspec.structs.replace(message, **{name: pack(array)})


@pytest.mark.parametrize(
    ("dtype", "shape", "size"),
    [("<f4", (2, 2), 15), ("<f4", (-1, -4), 16), ("|O", (2,), 16), ("nonsense", (2,), 16)],
)
def test_an_invalid_array_is_refused(dtype: str, shape: tuple[int, ...], size: int) -> None:
    with pytest.raises(ValueError, match=r"expected 16 bytes .*, got 15|expected a numeric array"):
        Array(dtype, shape, bytes(size))


def test_columns_of_different_length_are_refused() -> None:
    raw = plain(observations_sent("gate", [3, 4], 1))
    short = plain(pack(np.zeros(1, np.float32)))
    for name in ("scores", "timestamp", "boxes", "ground"):
        with pytest.raises(
            msgspec.ValidationError, match="columns of camera gate differ in length"
        ):
            decode(msgspec.msgpack.encode({**raw, name: short}))


def test_a_view_survives_the_round_trip_and_is_checked() -> None:
    view = View(np.arange(12.0).reshape(3, 4), sees_height=False)
    joined = decode(encode(JoinMessage("gate", view_message(view))))
    assert isinstance(joined, JoinMessage)
    assert joined.view is not None
    back = view_of_message(joined.view)
    np.testing.assert_array_equal(back.projection, view.projection)
    assert not back.sees_height
    for wrong, said in ((np.zeros((3, 3)), "a projection"), (np.full((3, 4), np.nan), "finite")):
        with pytest.raises(ValueError, match=said):
            ViewOfGround(pack(wrong), sees_height=True)


def test_a_tracklet_that_ends_before_its_start_is_refused() -> None:
    raw = plain(tracklet_sent("gate", 1, 0.0, 2.0))
    with pytest.raises(msgspec.ValidationError, match="before"):
        decode(msgspec.msgpack.encode({**raw, "end": -1.0}))


def test_a_camera_name_that_leads_out_of_the_folder_is_refused() -> None:
    raw = plain(observations_sent("gate", [3], 1))
    with pytest.raises(msgspec.ValidationError, match="camera_id"):
        decode(msgspec.msgpack.encode({**raw, "camera_id": "../gate"}))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["at", "start", "end", "qualities", "exemplars", "path"])
def test_a_tracklet_with_a_number_that_is_not_finite_is_refused(name: str, value: float) -> None:
    sent = tracklet_sent("gate", 1, 0.0, 2.0)
    raw = plain(sent)
    if isinstance(raw[name], float):
        raw[name] = value
    else:
        array = unpack(getattr(sent, name)).copy()
        array.flat[-1] = value
        raw[name] = plain(pack(array))
    with pytest.raises(msgspec.ValidationError, match=r"finite|before"):
        decode(msgspec.msgpack.encode(raw))


def test_exemplars_without_a_second_dimension_are_refused() -> None:
    raw = plain(tracklet_sent("gate", 1, 0.0, 2.0))
    flat = plain(pack(np.ones(1, np.float32)))
    with pytest.raises(msgspec.ValidationError, match="must be"):
        decode(msgspec.msgpack.encode({**raw, "exemplars": flat}))


def test_a_watermark_without_a_time_is_refused() -> None:
    raw = plain(watermark("gate", 2.0))
    with pytest.raises(msgspec.ValidationError, match="finite"):
        decode(msgspec.msgpack.encode({**raw, "timestamp": math.nan}))


def array(values: object, dtype: str = "<f8") -> Any:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(pack(np.array(values, dtype))))


SEEN, TRACK, WHO = (
    observations_sent("gate", [3, 4], 1),
    tracklet_sent("gate", 1, 0.0, 2.0),
    identity_sent("gate", 1, 7, 2.0),
)
REFUSED: dict[str, tuple[Message, dict[str, object], str]] = {
    "camera of 246 characters": (SEEN, {"camera_id": "a" * 246}, "length <= 245"),
    "camera ..": (SEEN, {"camera_id": ".."}, "matching regex"),
    "camera with a line end": (SEEN, {"camera_id": "gate\n"}, "matching regex"),
    "track of such a camera": (TRACK, {"camera_id": "a" * 246}, "at most 245"),
    "track of a path": (TRACK, {"camera_id": "a/b"}, "not only dots"),
    "track of the ground": (TRACK, {"camera_id": ":ground"}, "expected a camera name"),
    "watermark of such a camera": (watermark("gate", 1.0), {"camera_id": "a" * 246}, "<= 245"),
    "identity in such a camera": (WHO, {"camera_id": "a" * 246}, "<= 245"),
    "float track_id": (SEEN, {"track_id": array([1.0, 2.0])}, "whole numbers in track_id"),
    "unsigned track_id": (SEEN, {"track_id": array([1, 2], "<u8")}, "whole numbers in track_id"),
    "float track id": (TRACK, {"track_id": 1.5}, "Expected `int`"),
    "track id of 64 bits": (TRACK, {"track_id": 2**63}, "<= 9223372036854775807"),
    "global id of 64 bits": (WHO, {"global_id": 2**64 - 1}, "<= 9223372036854775807"),
    "time not finite": (SEEN, {"timestamp": array([1.0, math.nan])}, "finite"),
    "confidence not finite": (WHO, {"confidence": math.nan}, "finite"),
    "no time": (watermark("gate", 1.0), {"timestamp": 1e300}, "before the year 5000"),
    "frame of no time": (SEEN, {"timestamp": array([1.0, -1e300])}, "before the year 5000"),
    "negative frame": (SEEN, {"frame_index": array([0, -1], "<i8")}, "at least 0"),
    "negative track": (SEEN, {"track_id": array([3, -(2**63)], "<i8")}, "at least 0"),
    "negative size": (SEEN, {"sizes": array([[4, 3], [-4, 3]], "<i4")}, "at least 0"),
    "place that is infinite": (SEEN, {"ground": array([[1, 2], [math.inf, 2]])}, "finite, or NaN"),
    "track at an infinite place": (TRACK, {"ground": array([[0, math.inf, 2]])}, "finite, or NaN"),
    "vector that overflows": (TRACK, {"exemplars": array([[1e30, 0]], "<f4")}, "unit vectors"),
    "square qualities": (TRACK, {"qualities": array([[0.5]])}, r"must be \(K,\)"),
    "whole embeddings": (TRACK, {"exemplars": array([[1, 0]], "<i8")}, "numbers in exemplars"),
    "thumbnail elsewhere": (TRACK, {"thumbnail": "thumbnails/../7.jpg"}, "matching regex"),
    "absolute thumbnail": (TRACK, {"thumbnail": "/etc/passwd"}, "matching regex"),
}


@pytest.mark.parametrize(("message", "values", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_what_could_not_be_stored_is_refused(
    message: Message, values: dict[str, object], reason: str
) -> None:
    assert decode(broken(message)) == message
    with pytest.raises((msgspec.DecodeError, ValueError), match=reason):
        decode(broken(message, **values))


def test_a_camera_that_could_not_be_recorded_is_refused() -> None:
    for name, value in (
        *(("fps", math.inf), ("end", math.nan), ("camera_id", "../gate")),
        *(("start", 1e300), ("end", 1e12), ("removed", 1e300)),
    ):
        camera = msgspec.to_builtins(camera_sent("gate", 5).camera) | {name: value}
        with pytest.raises(msgspec.DecodeError):
            decode(broken(camera_sent("gate", 5), camera=camera))


@pytest.mark.parametrize(
    "values",
    [
        {"changes": (Change("gate", 2**63, None, 1, 2),)},
        {"changes": (Change("../gate", 1, None, 1, 2),)},
        {"changes": (Change("gate", 1, math.nan, 1, 2),)},
        {"track_id": 2**63},
        {"global_id": -1},
        {"moment": math.inf},
    ],
)
def test_a_correction_that_could_not_be_recorded_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        CorrectionMessage(Correction("merge", **values))
    with pytest.raises(ValueError, match="expected"):
        CorrectMessage(Correction("merge", **values), 0)


@pytest.mark.parametrize(
    "values",
    [
        {"parts": [Part("gate", 2**63, None, 0.0, 1.0, 1)]},
        {"parts": [Part("gate", 1, None, 0.0, 1.0, 2**63)]},
        {"parts": [Part("gate", 1, None, 0.0, math.nan, 1)]},
        {"free": [("..", 1, None)]},
        {"last_seen": {1: math.nan}},
        {"after": math.nan},
    ],
)
def test_a_request_that_nothing_can_be_made_of_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        CorrectMessage(Correction("merge"), 0, **values)


def test_the_longest_camera_name_is_that_of_a_folder() -> None:
    name = "a" * 245
    assert len(f"camera_id={name}") == 255
    assert decode(encode(observations_sent(name, [1], 1))) == observations_sent(name, [1], 1)


def test_a_camera_without_frames_ends_at_the_earliest_moment() -> None:
    first = math.nextafter(-math.inf, math.inf)
    assert decode(encode(watermark("gate", first, ended=True))).timestamp == first  # type: ignore[union-attr]
