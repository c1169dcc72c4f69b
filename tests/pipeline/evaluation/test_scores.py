"""Scores of hand-made cases whose answer is known, and agreement with two reference programs."""

from pathlib import Path

import motmetrics
import numpy as np
import polars as pl
import pytest

from pipeline.errors import UserError
from pipeline.evaluation import overlaps
from pipeline.evaluation.boxes import SCHEMA
from pipeline.evaluation.scores import Scores, SequenceScorer, score

#: frame_index, person_id, x1; every box is 10 x 20 on one line unless stated otherwise.
Row = tuple[int, int, float]
RATIOS = ("hota", "det_a", "ass_a", "idf1", "id_precision", "id_recall", "mota", "motp")


def _boxes(rows: list[Row], camera_id: str = "a", height: float = 20) -> pl.DataFrame:
    full = [(camera_id, frame, person, x, 0.0, x + 10, height) for frame, person, x in rows]
    return pl.DataFrame(full, schema=SCHEMA, orient="row")


def _walk(person_id: int, x: float, frames: range) -> list[Row]:
    return [(frame, person_id, x) for frame in frames]


TWO = _walk(1, 0, range(10)) + _walk(2, 100, range(10))


def test_a_perfect_prediction() -> None:
    found = score(_boxes([(f, p + 70, x) for f, p, x in TWO]), _boxes(TWO))
    assert [getattr(found, name) for name in RATIOS] == pytest.approx([1.0] * len(RATIOS))
    assert found.loc_a == pytest.approx(1.0)
    assert (found.switches, found.fragments, found.false_positives, found.misses) == (0, 0, 0, 0)
    assert (found.n_truth, found.n_predicted, found.truth_ids, found.predicted_ids) == (
        20,
        20,
        2,
        2,
    )


def test_one_switch_halfway() -> None:
    predicted = _walk(1, 0, range(5)) + _walk(2, 0, range(5, 10))
    found = score(_boxes(predicted), _boxes(_walk(1, 0, range(10))))
    assert found.switches == 1
    assert found.mota == pytest.approx(1 - 1 / 10)
    assert found.idf1 == pytest.approx(0.5)
    # Each half agrees with half of the true track: 5 / (10 + 5 - 5).
    assert (found.det_a, found.ass_a) == pytest.approx((1.0, 0.5))
    assert found.hota == pytest.approx(0.5**0.5)


def test_half_missed() -> None:
    found = score(_boxes(_walk(1, 0, range(10))), _boxes(TWO))
    assert (found.misses, found.false_positives) == (10, 0)
    assert (found.mota, found.id_recall, found.id_precision) == pytest.approx((0.5, 0.5, 1.0))
    assert found.idf1 == pytest.approx(2 * 10 / (20 + 10))
    assert found.hota == pytest.approx(0.5**0.5)


def test_a_gap_is_one_fragment_and_no_switch() -> None:
    seen = [row for row in TWO if row[0] != 4]
    found = score(_boxes(seen), _boxes(TWO))
    assert (found.switches, found.misses) == (0, 2)
    # The frame without any prediction does not restart TrackEval's tracks.
    assert found.fragments == 0
    found = score(_boxes([row for row in TWO if row[:2] != (4, 1)]), _boxes(TWO))
    assert (found.switches, found.fragments, found.misses) == (0, 1, 1)


def test_everybody_in_the_wrong_place() -> None:
    found = score(_boxes([(f, p, x + 500) for f, p, x in TWO]), _boxes(TWO))
    assert (found.misses, found.false_positives) == (20, 20)
    assert (found.hota, found.idf1, found.mota) == pytest.approx((0.0, 0.0, -1.0))


def test_a_box_at_exactly_half_overlap_matches() -> None:
    truth = _boxes(TWO)
    at = score(_boxes(TWO, height=10), truth)
    assert (at.mota, at.idf1, at.motp) == pytest.approx((1.0, 1.0, 0.5))
    below = score(_boxes(TWO, height=9.99), truth)
    assert (below.mota, below.idf1) == pytest.approx((-1.0, 0.0))
    assert below.hota > 0  # the lower thresholds of HOTA still match


@pytest.mark.parametrize(
    ("predicted", "truth", "misses", "false_positives"),
    [([], TWO, 20, 0), (TWO, [], 0, 20), ([], [], 0, 0)],
)
def test_a_side_without_boxes(
    predicted: list[Row], truth: list[Row], misses: int, false_positives: int
) -> None:
    found = score(_boxes(predicted), _boxes(truth))
    assert (found.misses, found.false_positives) == (misses, false_positives)
    assert [getattr(found, name) for name in RATIOS] == [0.0] * len(RATIOS)
    assert found.loc_a == 1.0


def test_frames_that_only_one_side_has() -> None:
    predicted = _walk(1, 0, range(2, 6))
    found = score(_boxes(predicted), _boxes(_walk(1, 0, range(4))))
    assert (found.misses, found.false_positives, found.switches) == (2, 2, 0)
    assert found.mota == pytest.approx(1 - 4 / 4)


def test_ids_swapped_between_two_cameras() -> None:
    truth = pl.concat([_boxes(TWO, "a"), _boxes(TWO, "b")])
    swapped = [(frame, 3 - person, x) for frame, person, x in TWO]
    there = _boxes(swapped, "b")
    assert score(there, _boxes(TWO, "b")).idf1 == 1.0
    over_all = score(pl.concat([_boxes(TWO, "a"), there]), truth)
    assert over_all.idf1 == pytest.approx(0.5)
    assert over_all.switches == 2
    assert over_all.mota == pytest.approx(1 - 2 / 40)


def test_the_order_of_the_rows_does_not_matter() -> None:
    predicted, truth = _random_case(7)
    shuffled = predicted.sample(fraction=1.0, shuffle=True, seed=3)
    assert score(shuffled, truth.reverse()) == score(predicted, truth)


def test_an_id_twice_in_a_frame_is_refused() -> None:
    with pytest.raises(UserError, match=r"the prediction: person 1 occurs twice in frame 0"):
        score(_boxes([(0, 1, 0), (0, 1, 50)]), _boxes(TWO))
    with pytest.raises(UserError, match="the ground truth: person 1 occurs twice"):
        score(_boxes(TWO), _boxes([(0, 1, 0), (0, 1, 50)]))


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    score(_boxes(TWO), _boxes(TWO))
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def _random_case(seed: int, gap: float = 0) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Six people who drift over 40 frames; the prediction is noisy, gappy, false and switches.

    Their starts are ``gap`` pixels apart: from 400 on, no two people overlap.
    """
    rng = np.random.default_rng(seed)
    truth, predicted = [], []
    for person in range(1, 7):
        x, y = rng.uniform(0, 200, 2) + np.array([person * gap, 0])
        predicted_id = person * 10
        for frame in range(int(rng.integers(0, 10)), int(rng.integers(25, 40))):
            x, y = x + rng.normal(0, 3), y + rng.normal(0, 3)
            truth.append(("a", frame, person, x, y, x + 40, y + 80))
            predicted_id += int(rng.random() < 0.05)
            if rng.random() < 0.85:
                left, top = x + rng.normal(0, 4), y + rng.normal(0, 8)
                predicted.append(("a", frame, predicted_id, left, top, left + 41, top + 77))
    for frame in range(0, 40, 3):
        x, y = rng.uniform(0, 200, 2)
        predicted.append(("a", frame, 900 + frame, x, y, x + 40, y + 80))
    found = pl.DataFrame(predicted, schema=SCHEMA, orient="row")
    return found, pl.DataFrame(truth, schema=SCHEMA, orient="row")


def _write_mot(boxes: pl.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True)
    lines = [
        f"{frame + 1},{person},{x1!r},{y1!r},{x2 - x1!r},{y2 - y1!r},1,1,1"
        for _, frame, person, x1, y1, x2, y2 in boxes.iter_rows()
    ]
    path.write_text("\n".join(lines))


def _trackeval_by_files(predicted: pl.DataFrame, truth: pl.DataFrame, root: Path) -> Scores:
    """TrackEval's own way: its dataset class on MOTChallenge files, then its metrics."""
    from trackeval import Evaluator
    from trackeval.datasets import MotChallenge2DBox
    from trackeval.metrics import CLEAR, HOTA, Identity

    _write_mot(truth, root / "truth" / "seq" / "gt" / "gt.txt")
    _write_mot(predicted, root / "found" / "ours" / "data" / "seq.txt")
    dataset = MotChallenge2DBox(
        {
            "GT_FOLDER": str(root / "truth"),
            "TRACKERS_FOLDER": str(root / "found"),
            "OUTPUT_FOLDER": str(root / "out"),
            "SEQ_INFO": {"seq": 40},
            "SKIP_SPLIT_FOL": True,
            "PRINT_CONFIG": False,
        }
    )
    quiet = {
        "PRINT_RESULTS": False,
        "PRINT_CONFIG": False,
        "TIME_PROGRESS": False,
        "OUTPUT_SUMMARY": False,
        "OUTPUT_DETAILED": False,
        "PLOT_CURVES": False,
        "LOG_ON_ERROR": None,
    }
    metrics = [HOTA(), CLEAR({"PRINT_CONFIG": False}), Identity({"PRINT_CONFIG": False})]
    results, _ = Evaluator(quiet).evaluate([dataset], metrics)
    found = results["MotChallenge2DBox"]["ours"]["seq"]["pedestrian"]
    hota, clear, identity = found["HOTA"], found["CLEAR"], found["Identity"]
    return Scores(
        *(float(np.mean(hota[name])) for name in ("HOTA", "DetA", "AssA", "LocA")),
        *(float(identity[name]) for name in ("IDF1", "IDP", "IDR")),
        *(float(clear[name]) for name in ("MOTA", "MOTP")),
        *(int(clear[name]) for name in ("IDSW", "Frag", "CLR_FP", "CLR_FN")),
        *(int(found["Count"][name]) for name in ("GT_Dets", "Dets", "GT_IDs", "IDs")),
    )


@pytest.mark.parametrize("seed", range(1, 7))
def test_agrees_with_trackeval_on_files(seed: int, tmp_path: Path) -> None:
    predicted, truth = _random_case(seed)
    ours, reference = score(predicted, truth), _trackeval_by_files(predicted, truth, tmp_path)
    assert 0.3 < ours.hota < 0.9
    assert ours.switches > 0
    for name in Scores.__slots__:
        assert getattr(ours, name) == pytest.approx(getattr(reference, name), abs=1e-9), name


@pytest.mark.parametrize("length", [1, 7])
@pytest.mark.parametrize("seed", range(1, 7))
def test_parts_score_as_the_whole(seed: int, length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    predicted, truth = _random_case(seed)
    whole = score(predicted, truth)
    # A few pairs of boxes at a time: parts are divided again.
    monkeypatch.setattr(overlaps, "_MOST_PAIRS", 9)
    with SequenceScorer() as scorer:
        for first in range(0, 40, length):
            here = pl.col("frame_index").is_between(first, first + length - 1)
            scorer.add(predicted.filter(here), truth.filter(here))
        found = scorer.scores()
    for name in Scores.__slots__:
        # Sums of overlaps are added up in another order.
        assert getattr(found, name) == pytest.approx(getattr(whole, name), rel=1e-12), name


def test_a_negative_id_is_another_person_in_each_camera() -> None:
    with SequenceScorer() as scorer:
        for name in ("a", "b"):
            own = [(frame, -person, x) for frame, person, x in TWO]
            scorer.add(_boxes(own, name), _boxes(TWO, name), name)
        found = scorer.scores()
    assert (found.predicted_ids, found.truth_ids) == (4, 2)
    assert (found.idf1, found.switches) == (0.5, 2)


def _motmetrics(predicted: pl.DataFrame, truth: pl.DataFrame) -> tuple[float, float, int]:
    accumulator = motmetrics.MOTAccumulator()
    corners = ["x1", "y1", "x2", "y2"]
    for frame in range(40):
        here = pl.col("frame_index") == frame
        a, b = truth.filter(here), predicted.filter(here)
        sides = [table.select(corners).to_numpy() for table in (a, b)]
        sizes = [np.hstack([box[:, :2], box[:, 2:] - box[:, :2]]) for box in sides]
        distance = 1 - motmetrics.distances.boxiou(sizes[0][:, None], sizes[1][None, :])
        distance[distance > 0.5] = np.nan
        accumulator.update(a["person_id"].to_list(), b["person_id"].to_list(), distance, frame)
    summary = motmetrics.metrics.create().compute(
        accumulator, metrics=["mota", "idf1", "num_switches"], return_dataframe=False
    )
    return summary["mota"], summary["idf1"], summary["num_switches"]


@pytest.mark.parametrize("seed", range(1, 6))
def test_agrees_with_motmetrics(seed: int) -> None:
    # In a crowd the two programs differ by design: after a gap motmetrics takes up the old pair
    # again, TrackEval matches again.
    predicted, truth = _random_case(seed, gap=400)
    ours = score(predicted, truth)
    assert min(ours.switches, ours.false_positives, ours.misses) > 0
    mota, idf1, switches = _motmetrics(predicted, truth)
    assert (ours.mota, ours.idf1) == pytest.approx((mota, idf1))
    assert ours.switches == switches
