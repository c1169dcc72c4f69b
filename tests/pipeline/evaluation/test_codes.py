"""Numbers of ids that come in parts."""

import numpy as np

from pipeline.evaluation.codes import Codes


def test_numbers_stay_and_have_no_gaps() -> None:
    codes = Codes()
    assert codes.of(np.array([70, -5, 70])).tolist() == [1, 0, 1]
    assert codes.of(np.array([], np.int64)).tolist() == []
    assert codes.of(np.array([8, 70, -900, -5])).tolist() == [3, 1, 2, 0]
    assert len(codes) == 4
