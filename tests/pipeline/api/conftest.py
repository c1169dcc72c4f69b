"""Fixtures that open the live API."""

from collections.abc import Callable, Iterator

import pytest

from live_api import LiveApi
from pipeline.bus.streams import Bus


@pytest.fixture
def open_api(redis_url: str, site: str) -> Iterator[Callable[..., LiveApi]]:
    """Opens an API of the test's site; all of them are closed at the end."""
    opened: list[LiveApi] = []

    def call(**settings: object) -> LiveApi:
        bus = Bus(redis_url, site)
        bus.declare()
        opened.append(LiveApi(bus, **settings))  # type: ignore[arg-type]
        return opened[-1]

    yield call
    for api in opened:
        api.close()


@pytest.fixture
def api(open_api: Callable[..., LiveApi]) -> LiveApi:
    """An API of two cameras without a token, before the first message."""
    return open_api()
