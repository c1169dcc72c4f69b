import numpy as np
import pytest

from trackers.detections import Detections, no_detections, valid_boxes, without_doubles

BOXES = np.array([[0, 0, 10, 20], [5, 5, 25, 45], [9, 9, 10, 10]], np.float32)
SCORES = np.array([0.9, 0.8, 0.7], np.float32)


def full() -> Detections:
    return Detections(
        boxes=BOXES,
        scores=SCORES,
        track_ids=np.array([3, 1, 2], np.int64),
        embeddings=np.eye(3, 4, dtype=np.float32),
        masks=np.arange(3)[:, None, None] * np.ones((3, 2, 2)) > 0,
    )


@pytest.mark.parametrize("index", [np.array([2, 0]), np.array([True, False, True])])
def test_take_keeps_every_column_in_step(index: np.ndarray) -> None:
    whole, taken = full(), full().take(index)

    rows = np.arange(3)[index]
    for name in ("boxes", "scores", "track_ids", "embeddings", "masks"):
        assert np.array_equal(getattr(taken, name), getattr(whole, name)[rows]), name


def test_take_leaves_missing_columns_missing() -> None:
    taken = Detections(BOXES, SCORES).take(np.array([1]))

    assert len(taken) == 1
    assert taken.track_ids is None
    assert taken.embeddings is None
    assert taken.masks is None


def test_with_embeddings_adds_the_column_and_leaves_the_original() -> None:
    plain = Detections(BOXES, SCORES)
    widened = plain.with_embeddings(np.eye(3, dtype=np.float32))

    assert plain.embeddings is None
    assert widened.embeddings is not None
    assert np.array_equal(widened.boxes, BOXES)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("scores", np.zeros(2, np.float32)),
        ("scores", np.zeros((3, 1), np.float32)),
        ("track_ids", np.zeros(4, np.int64)),
        ("embeddings", np.zeros((2, 8), np.float32)),
        ("masks", np.zeros((2, 4, 4), bool)),
    ],
)
def test_a_column_of_another_length_is_refused(column: str, value: np.ndarray) -> None:
    columns = {"boxes": BOXES, "scores": SCORES, column: value}

    with pytest.raises(ValueError, match=f"{column} must have 3 rows"):
        Detections(**columns)


@pytest.mark.parametrize("shape", [(4,), (3, 5), (0,)])
def test_boxes_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="boxes must be"):
        Detections(np.zeros(shape, np.float32), np.zeros(shape[0], np.float32))


@pytest.mark.parametrize(
    "box", [(0, 0, 0, 5), (0, 5, 5, 5), (9, 0, 5, 5), (np.nan, 0, 5, 5), (0, 0, np.inf, 5)]
)
def test_a_box_without_area_or_not_finite_is_refused(box: tuple[float, ...]) -> None:
    wrong = np.array([box], np.float32)

    assert valid_boxes(wrong).tolist() == [False]
    with pytest.raises(ValueError, match="every box"):
        Detections(wrong, np.ones(1, np.float32))


def test_no_detections_is_empty_and_can_be_taken_from() -> None:
    none = no_detections()

    assert len(none) == 0
    assert len(none.take(np.zeros(0, np.intp))) == 0
    assert none.track_ids is not None
    assert valid_boxes(none.boxes).shape == (0,)


def test_no_detections_can_have_embeddings_and_masks() -> None:
    none = Detections(
        np.zeros((0, 4), np.float32),
        np.zeros(0, np.float32),
        embeddings=np.zeros((0, 8), np.float32),
        masks=np.zeros((0, 4, 4), bool),
    )

    assert len(none) == 0


def detections_of(*rows: tuple[float, ...]) -> Detections:
    """Each row is x1, y1, x2, y2 and the score."""
    values = np.array(rows, np.float32).reshape(-1, 5)
    return Detections(values[:, :4], values[:, 4])


def test_of_two_boxes_on_one_person_the_better_stays() -> None:
    one, double, other = (0, 0, 10, 10, 0.6), (0, 0, 10, 9.7, 0.9), (20, 0, 30, 10, 0.5)
    assert without_doubles(detections_of(one, double, other)).scores == pytest.approx([0.9, 0.5])
    equal = detections_of(one, one)
    assert without_doubles(equal).boxes.tolist() == [[0, 0, 10, 10]]


def test_an_overlap_of_exactly_the_limit_is_a_double() -> None:
    ninety = detections_of((0, 0, 10, 10, 0.9), (0, 0, 10, 9, 0.5))
    assert len(without_doubles(ninety, most=0.9)) == 1
    assert without_doubles(ninety, most=0.91) is ninety


def test_a_box_that_only_a_double_overlaps_stays() -> None:
    """The second is a double of the first, and the third of the second alone."""
    chain = detections_of((0, 0, 10, 100, 0.9), (0, 0, 10, 93, 0.8), (0, 0, 10, 86, 0.7))
    assert without_doubles(chain).scores == pytest.approx([0.9, 0.7])


def test_without_detections_there_is_no_double() -> None:
    assert len(without_doubles(no_detections())) == 0
