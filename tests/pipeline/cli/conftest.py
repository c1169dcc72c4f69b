"""Fixtures for tests of the command line: a runner, and the demo clips."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from command_line import Outcome
from pipeline.cli import main as cli
from pipeline.errors import UserError
from pipeline.weights import weights_path


@pytest.fixture
def fusetrack(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """Run `fusetrack ARGUMENTS` in this process."""

    def call(*arguments: object) -> Outcome:
        monkeypatch.setattr("sys.argv", ["fusetrack", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        code = ended.value.code
        said = capsys.readouterr()
        return Outcome(code if isinstance(code, int) else 0, said.out, said.err)

    return call


@pytest.fixture(scope="session")
def demo_clips() -> list[Path]:
    """The four synchronised clips, when the weights and clips of the demo are in the cache."""
    try:
        weights_path("yolo26n")
        folder = weights_path("demo-clips").parent
    except UserError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    return [folder / f"cam0{number}.mp4" for number in (1, 2, 3, 4)]
