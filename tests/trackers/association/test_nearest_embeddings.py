"""Who looks most like somebody: fast as slow, whatever was put and dropped before."""

import numpy as np
import pytest

from builders_trackers import unit_vector
from trackers.association.appearance import mean_embedding
from trackers.association.nearest_embeddings import NearestEmbeddings


def _rows(*degrees):
    return np.array([unit_vector(d) for d in degrees], np.float32).reshape(len(degrees), 2)


def test_the_mean_look_lies_amid():
    assert mean_embedding(_rows(0, 90)) == pytest.approx(unit_vector(45), abs=1e-6)


def test_appearance_that_cancel_out_are_no_look():
    assert mean_embedding(_rows(0, 180)) == pytest.approx([0, 0], abs=1e-3)


def test_of_nobody_none_is_alike():
    assert list(NearestEmbeddings().most(_rows(0), 3)) == []


def test_who_shows_nothing_is_like_nobody():
    alike = NearestEmbeddings()
    alike.put(1, _rows(0))
    alike.put(2, _rows())
    assert list(alike.most(_rows(), 3)) == []
    assert list(alike.most(_rows(0), 3)) == [1]


def test_as_many_as_there_are_are_all():
    alike = NearestEmbeddings()
    for name, degrees in enumerate((0, 90, 180)):
        alike.put(name, _rows(degrees))
    assert sorted(alike.most(_rows(80), 3)) == [0, 1, 2]
    assert sorted(alike.most(_rows(80), 2)) == [0, 1]
    assert sorted(alike.most(_rows(80), 1)) == [1]


def test_the_most_alike_are_those_of_a_plain_loop():
    rng = np.random.default_rng(0)
    alike, known = NearestEmbeddings(), {}
    for _ in range(600):
        name = int(rng.integers(150))
        if rng.random() < 0.3:
            alike.drop(name)
            known.pop(name, None)
        else:
            rows = rng.normal(size=(3, 16)).astype(np.float32)
            known[name] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
            alike.put(name, known[name])
        query = rng.normal(size=(2, 16)).astype(np.float32)
        cosines = {
            n: float(mean_embedding(rows) @ mean_embedding(query)) for n, rows in known.items()
        }
        expected = sorted(cosines, key=lambda n: -cosines[n])[:5]
        assert set(alike.most(query, 5)) == set(expected)
