"""Where things lie, also where there is no home directory."""

from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.paths import cache_folder, expanded


def test_the_cache_is_where_the_user_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FUSETRACK_CACHE", "/somewhere")
    assert cache_folder() == Path("/somewhere")
    monkeypatch.delenv("FUSETRACK_CACHE")
    monkeypatch.setenv("HOME", "/home/one")
    assert cache_folder() == Path("/home/one/.cache/fusetrack")


def test_a_home_that_nobody_has_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"^~nosuchuser/w: no home directory is known: write the"):
        expanded("~nosuchuser/w")
    monkeypatch.setattr(Path, "expanduser", _no_home)
    monkeypatch.delenv("FUSETRACK_CACHE", raising=False)
    with pytest.raises(UserError, match="set FUSETRACK_CACHE to a folder"):
        cache_folder()


def _no_home(path: Path) -> Path:
    raise RuntimeError("Could not determine home directory.")
