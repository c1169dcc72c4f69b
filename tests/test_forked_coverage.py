"""Counting lines changes nothing for what is counted."""

import sys

import pytest
import slipcover
from slipcover.slipcover import sys as its_own

import forked_coverage


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="nothing looks at frames")
def test_variables_of_running_functions_stay_as_they_were(monkeypatch) -> None:
    monkeypatch.setattr(slipcover.slipcover, "sys", its_own)
    lines = slipcover.Slipcover(source=["pipeline"])
    lines.replace_map[compile("1", "", "eval")] = compile("2", "", "eval")

    def ours() -> dict[str, object]:
        given = locals()
        lines.deinstrument_seen()
        return dict(given)

    forked_coverage.spare_frames()
    assert "given" not in ours()
