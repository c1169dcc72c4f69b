"""The bench of a GPU, where there is none."""

from unittest.mock import patch

import pytest

import gpu


def test_it_says_what_is_missing() -> None:
    with (
        patch("sys.argv", ["gpu", "--device", "cuda:99"]),
        pytest.raises(SystemExit, match="bench gpu: device cuda:99 is not available"),
    ):
        gpu.main()
