"""A real Chromium, and a site with drawn people for it; both are open for the session."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver

from browsers import Browser, open_chromium
from drawn_site import CAMERAS, Playing, make_drawn_run
from live_api import LiveApi, RecordedApi
from pipeline.api.console import BUILT
from pipeline.bus.embedded_redis import EmbeddedServer
from pipeline.bus.streams import Bus
from pipeline.run_directory.progress import RecorderProgress, write_progress

_AXE = BUILT.parent / "node_modules/axe-core/axe.min.js"


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    chrome = open_chromium(tmp_path_factory.mktemp("profile"))
    yield chrome
    chrome.quit()


@pytest.fixture(scope="session")
def playing(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApi]:
    """A live site in which people walk.

    Its Redis is its own: it plays on while tests of other files fill or refuse that of
    `redis_url`, which is asked for because it knows whether there is a server at all.
    """
    run = make_drawn_run(tmp_path_factory.mktemp("drawn") / "run")
    with EmbeddedServer(tmp_path_factory.mktemp("drawn-server") / "redis") as server:
        bus = Bus(server.url, "drawn")
        bus.declare()
        write_progress(run, RecorderProgress(bus.run()))
        api = LiveApi(bus, out=run, cameras=CAMERAS)
        api.follower.step()
        playing = Playing(api)
        yield api
        playing.close()
        api.close()


@pytest.fixture
def live(chromium: webdriver.Chrome, playing: LiveApi) -> Browser:
    """A browser at the live site."""
    return Browser(chromium, f"http://{playing.place}")


@pytest.fixture
def recorded(chromium: webdriver.Chrome, tmp_path: Path) -> Iterator[Browser]:
    """A browser at a run of its own that is over."""
    api = RecordedApi(make_drawn_run(tmp_path / "run"))
    yield Browser(chromium, f"http://{api.place}")
    api.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe, which finds what people with disabilities cannot use."""
    if not _AXE.is_file():
        reason = "axe-core is not installed: ./scripts/console installs it where npm is"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return _AXE.read_text()
