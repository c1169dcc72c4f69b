"""Products in half precision against those of numpy."""

import numpy as np

from pipeline.search.nearest import products, rows_at


def vectors(count: int, width: int = 48) -> np.ndarray:
    random = np.random.default_rng(count)
    found = random.standard_normal((count, width), dtype=np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_products_are_those_of_single_precision() -> None:
    parts = [vectors(n) for n in (3, 40_000, 1)]
    queries = vectors(2)
    found = products([part.astype(np.float16) for part in parts], queries)
    np.testing.assert_allclose(found, np.concatenate(parts) @ queries.T, atol=2e-3)
    assert products([], queries).shape == (0, 2)
    assert products([np.zeros((0, 48), np.float16)], queries).shape == (0, 2)


def test_rows_are_found_across_matrices() -> None:
    parts = [vectors(n).astype(np.float16) for n in (3, 4, 2)]
    indices = np.array([0, 2, 3, 8])
    found = rows_at(parts, indices)
    np.testing.assert_array_equal(found, np.concatenate(parts)[indices].astype(np.float32))
    assert rows_at(parts, indices[:0]).shape == (0, 48)
