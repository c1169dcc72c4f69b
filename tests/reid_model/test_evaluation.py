"""CMC and mAP: by hand, against a slow reference, and against scikit-learn."""

import numpy as np
import pytest

from reid_model.evaluation import Ranking, evaluate, evaluate_distances

Case = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def ranked(order: list[tuple[int, int]], query: tuple[int, int] = (1, 1)) -> Ranking:
    """One query; the gallery's (identity, camera) from the most similar to the least."""
    ids, cameras = np.array(order).T
    distances = np.arange(len(order))[None] / 10
    return evaluate_distances(distances, np.array(query[:1]), np.array(query[1:]), ids, cameras)


def test_by_hand() -> None:
    found = ranked([(2, 2), (1, 2), (3, 1), (1, 3)])
    assert found.cmc.shape == (50,)
    assert found.cmc[:3].tolist() == [0, 1, 1]
    assert found.cmc[-1] == 1
    assert found.mean_average_precision == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert found.queries == 1


def test_the_same_person_by_the_same_camera_is_left_out() -> None:
    found = ranked([(1, 1), (1, 1), (1, 2), (2, 1)])
    assert found.cmc[0] == 1
    assert found.mean_average_precision == 1


def test_others_by_the_same_camera_are_not_left_out() -> None:
    assert ranked([(2, 1), (1, 2)]).mean_average_precision == 0.5


def test_queries_without_a_match_do_not_count() -> None:
    found = evaluate_distances(
        np.array([[0.0, 1.0], [0.0, 1.0], [0.0, 1.0]]),
        np.array([1, 2, 9]),
        np.array([1, 1, 1]),
        np.array([1, 2]),
        np.array([2, 1]),  # person 2 is in one camera only, person 9 only once
    )
    assert (found.queries, found.cmc[0], found.mean_average_precision) == (1, 1, 1)


@pytest.mark.parametrize(("rank", "share"), [(50, 1), (51, 0)])
def test_the_last_rank_of_the_curve(rank: int, share: float) -> None:
    found = ranked([(2, 2)] * (rank - 1) + [(1, 2)])
    assert found.cmc[-1] == share
    assert found.mean_average_precision == pytest.approx(1 / rank)


def test_ties_gain_nothing() -> None:
    ids, cameras = np.array([1, 1, 2, 3]), np.array([2, 3, 2, 2])
    found = evaluate(np.ones((1, 4)), ids[:1], np.array([1]), np.ones((4, 4)), ids, cameras)
    assert found.cmc[:3].tolist() == [0, 0, 1]
    assert found.mean_average_precision == pytest.approx((1 / 3 + 2 / 4) / 2)


def some_case(seed: int, queries: int = 300) -> Case:
    """Noisy people, cameras and distractors; some queries have no match."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(40, 6))
    query_ids, gallery_ids = random.integers(0, 40, queries), random.integers(5, 60, 120)
    query = centres[query_ids] + random.normal(size=(queries, 6))
    gallery = centres[gallery_ids % 40] + random.normal(size=(120, 6))
    cameras = random.integers(0, 3, queries), random.integers(0, 3, 120)
    return query, query_ids, cameras[0], gallery, gallery_ids, cameras[1]


def in_order(case: Case) -> list[np.ndarray]:
    """For each query with a match: correct (1) or wrong (0), and the similarity, best first."""
    query, query_ids, query_cameras, gallery, gallery_ids, gallery_cameras = case
    out = []
    for vector, identity, camera in zip(query, query_ids, query_cameras, strict=True):
        rows = []
        for other, other_id, other_camera in zip(
            gallery, gallery_ids, gallery_cameras, strict=True
        ):
            if other_id == identity and other_camera == camera:
                continue
            cosine = vector @ other / np.linalg.norm(vector) / np.linalg.norm(other)
            rows.append((int(other_id == identity), cosine))
        if any(right for right, _ in rows):
            out.append(np.array(sorted(rows, key=lambda row: -row[1])))
    return out


@pytest.mark.parametrize("seed", [0, 1])
def test_against_a_slow_reference(seed: int) -> None:
    case = some_case(seed)
    found = evaluate(*case)
    queries = [rows[:, 0] for rows in in_order(case)]
    assert found.queries == len(queries)
    assert found.queries < 300
    for rank in range(50):
        share = np.mean([right[: rank + 1].any() for right in queries])
        assert found.cmc[rank] == pytest.approx(share)
    precisions = []
    for right in queries:
        hits = [right[:at].mean() for at in range(1, len(right) + 1) if right[at - 1]]
        precisions.append(np.mean(hits))
    assert found.mean_average_precision == pytest.approx(np.mean(precisions))


def test_against_scikit_learn() -> None:
    """Without ties its step-wise area under precision and recall is this average precision."""
    metrics = pytest.importorskip("sklearn.metrics")
    case = some_case(2)
    expected = [metrics.average_precision_score(*rows.T) for rows in in_order(case)]
    assert evaluate(*case).mean_average_precision == pytest.approx(np.mean(expected))


def test_distances_rank_as_embeddings_do() -> None:
    query, query_ids, query_cameras, gallery, gallery_ids, gallery_cameras = some_case(3)
    units = [one / np.linalg.norm(one, axis=1, keepdims=True) for one in (query, gallery)]
    distances = ((units[0][:, None] - units[1][None]) ** 2).sum(axis=2)
    by_distance = evaluate_distances(
        distances, query_ids, query_cameras, gallery_ids, gallery_cameras
    )
    by_cosine = evaluate(query, query_ids, query_cameras, gallery, gallery_ids, gallery_cameras)
    np.testing.assert_allclose(by_distance.cmc, by_cosine.cmc)
    assert by_distance.mean_average_precision == pytest.approx(by_cosine.mean_average_precision)


def test_bad_input() -> None:
    good, names = np.ones((2, 3)), np.array([1, 2])
    with pytest.raises(ValueError, match="finite"):
        evaluate(np.full((2, 3), np.nan), names, names, good, names, names)
    with pytest.raises(ValueError, match="the same size"):
        evaluate(np.ones((2, 4)), names, names, good, names, names)
    with pytest.raises(ValueError, match="2 gallery pictures"):
        evaluate(good, names, names, good, names[:1], names)
    with pytest.raises(ValueError, match="2 query pictures"):
        evaluate_distances(good, names, names[:1], np.array([1, 2, 3]), np.array([1, 2, 3]))
    with pytest.raises(ValueError, match="no query has a match"):
        evaluate(good, names, names, good, names, names)
    with pytest.raises(ValueError, match="no query has a match"):
        evaluate(np.zeros((0, 3)), names[:0], names[:0], good, names, names)
