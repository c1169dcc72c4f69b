"""What the README promises on real data, measured again."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

needs_data = pytest.mark.skipif(
    "FUSETRACK_DATA" not in os.environ, reason="FUSETRACK_DATA is not set: no real data"
)


def bench(name: str, *arguments: str) -> dict[str, dict[str, float]]:
    """The figures of `./scripts/bench NAME --json`."""
    script = ROOT / "scripts" / "benches" / f"{name}.py"
    done = subprocess.run(
        [sys.executable, script, "--json", *arguments], capture_output=True, text=True, check=True
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


@needs_data
@pytest.mark.slow
def test_pets_with_the_defaults() -> None:
    found = bench("pets", "--no-peers")
    assert found["fusetrack, track id"]["mota"] >= 0.84
    assert found["fusetrack, global id"]["idf1"] >= 0.75


@needs_data
@pytest.mark.slow
def test_association_over_four_cameras() -> None:
    found = bench("association", "--only", "CMC1", "--only", "CMC2")
    assert found["CMC1"]["idf1"] >= 0.95
    assert found["CMC2"]["idf1"] >= 0.80
