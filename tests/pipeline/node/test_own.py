"""Objects of a program: what fits is taken as it is, what does not is named."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from fakes import BOX, RED, ColourDetector, ColourEmbedder, found, scene
from pipeline.errors import UserError
from pipeline.node.own import CheckedDetector, CheckedEmbedder, CheckedTracker, Own, check_own
from pipeline.sources.picture import BgrPicture
from trackers.detections import Detections, no_detections

Image = NDArray[np.uint8]
PICTURE = scene({BOX: RED})


class Says:
    """Answers every call with the same."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def detect(self, images: list[Image]) -> object:
        return self.answer

    def embed(self, crops: list[Image]) -> object:
        return self.answer(crops) if callable(self.answer) else self.answer

    def update(self, detections: Detections, image: Image | None, timestamp: float) -> object:
        return self.answer


def outside() -> Detections:
    return replace(found([BOX]), boxes=np.array([[900, 20, 940, 140]], np.float32))


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (None, "gave builtins.NoneType for 1 pictures: expected a list"),
        ([], "gave 0 for 1 pictures"),
        ([found([BOX]).boxes], "gave numpy.ndarray: expected fusetrack.Detections"),
        (
            [replace(found([BOX]), boxes=np.array([BOX], np.float64))],
            r"gave boxes of float64: expected float32, boxes.astype\(numpy.float32\)",
        ),
        ([replace(found([BOX]), scores=np.array([90], np.float32))], "gave scores from 90 to 90"),
        ([outside()], r"gave the box \[900.0, 20.0, 940.0, 140.0\], which is outside .* 200 x 160"),
    ],
)
def test_what_a_detector_gives_is_checked(answer: object, fault: str) -> None:
    detector = CheckedDetector(Says(answer))  # type: ignore[arg-type]
    with pytest.raises(UserError, match=rf"the detector [a-z._]+Says {fault}"):
        detector.detect([BgrPicture(PICTURE)])


def test_what_fits_is_taken_as_it_is() -> None:
    (given,) = CheckedDetector(ColourDetector()).detect([BgrPicture(PICTURE)])
    assert given.boxes.tolist() == [list(BOX)]
    assert CheckedDetector(Says([no_detections()])).detect([BgrPicture(PICTURE)])[
        0
    ].boxes.shape == (0, 4)  # type: ignore[arg-type]
    edge = replace(found([BOX]), boxes=np.array([[-9, -9, 1, 1]], np.float32))
    assert len(CheckedDetector(Says([edge])).detect([BgrPicture(PICTURE)])[0]) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ids", "fault"),
    [
        (None, r"gave no track_ids: expected \(N,\) int64"),
        (np.array([1, 2], np.int32), "gave track_ids of int32: expected int64"),
        (np.array([0, 1], np.int64), r"gave track_ids \[0, 1\]: expected numbers from 1"),
        (np.array([3, 3], np.int64), r"gave track_ids \[3, 3\]"),
    ],
)
def test_what_a_tracker_gives_is_checked(ids: NDArray[np.int64] | None, fault: str) -> None:
    answer = replace(found([BOX, BOX]), track_ids=ids)
    with pytest.raises(UserError, match=rf"the tracker [a-z._]+Says {fault}"):
        CheckedTracker(Says(answer)).update(answer, None, 1.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ([[1.0]], "gave vectors as builtins.list: expected a numpy array"),
        (np.ones((1, 3), np.float64), "gave vectors of float64"),
        (np.ones((2, 3), np.float32), r"gave vectors \(2, 3\) for 1 crops: expected \(1, D\)"),
        (np.ones((1, 0), np.float32), r"gave vectors \(1, 0\) for 1 crops"),
        (np.ones(3, np.float32), r"gave vectors \(3,\) for 1 crops"),
        (np.full((1, 3), np.nan, np.float32), "gave vectors that are NaN or infinite"),
    ],
)
def test_what_an_embedder_gives_is_checked(answer: object, fault: str) -> None:
    with pytest.raises(UserError, match=rf"the embedder [a-z._]+Says {fault}"):
        CheckedEmbedder(Says(answer))  # type: ignore[arg-type]


def test_an_embedder_gives_unit_vectors_of_one_length() -> None:
    widths = iter([4, 4, 5])

    def answer(crops: list[Image]) -> NDArray[np.float32]:
        return np.full((len(crops), next(widths)), 7, np.float32)

    embedder = CheckedEmbedder(Says(answer))  # type: ignore[arg-type]
    assert embedder.dimension == 4
    assert embedder.embed([PICTURE, PICTURE]).tolist() == [[0.5] * 4] * 2
    assert embedder.embed([]).shape == (0, 4)
    with pytest.raises(UserError, match=r"gave vectors \(1, 5\) for 1 crops: expected \(1, 4\)"):
        embedder.embed([PICTURE])


@pytest.mark.parametrize(
    ("own", "fault"),
    [
        (Own(detector=ColourDetector), "is the class fakes.ColourDetector: expected an object"),  # type: ignore[arg-type]
        (Own(detector=ColourEmbedder()), "detector fakes.ColourEmbedder has no method detect"),  # type: ignore[arg-type]
        (Own(embedder=ColourDetector()), "embedder fakes.ColourDetector has no method embed"),  # type: ignore[arg-type]
        (Own(tracker=Says(None)), "tracker is an object of .*Says: expected a class"),  # type: ignore[arg-type]
    ],
)
def test_objects_that_cannot_be_it_are_named(own: Own, fault: str) -> None:
    with pytest.raises(UserError, match=fault):
        check_own(own)


def test_the_configuration_names_them() -> None:
    assert Own().names() == {}
    make: Callable[[], Says] = Says  # type: ignore[assignment]
    assert Own(ColourDetector(), make, ColourEmbedder()).names() == {  # type: ignore[arg-type]
        "detector": {"model": "own:fakes.ColourDetector"},
        "tracker": {"name": f"own:{__name__}.Says"},
        "reid": {"model": "own:fakes.ColourEmbedder"},
    }
