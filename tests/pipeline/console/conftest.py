"""A site with drawn people for the browser; it is open for the session."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver

from browsers import Browser
from drawn_site import CALIBRATIONS, Playing, make_drawn_run
from live_api import LiveApi, RecordedApi
from pipeline.api.console import BUILT
from pipeline.bus.embedded_redis import EmbeddedServer
from pipeline.bus.streams import Bus
from pipeline.run_directory.progress import RecorderProgress, write_progress

_AXE = BUILT.parent / "node_modules/axe-core/axe.min.js"


@pytest.fixture(scope="session")
def site(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApi]:
    """A live site in which people walk while a test is `live`.

    Its Redis is its own, because tests of other files fill or refuse that of `redis_url`, which is
    asked for because it knows whether there is a server at all.
    """
    run = make_drawn_run(tmp_path_factory.mktemp("drawn") / "run")
    with EmbeddedServer(tmp_path_factory.mktemp("drawn-server") / "redis") as server:
        bus = Bus(server.url, "drawn")
        bus.declare()
        write_progress(run, RecorderProgress(bus.run()))
        api = LiveApi(bus, out=run, cameras=CALIBRATIONS)
        api.follower.step()
        yield api
        api.close()


@pytest.fixture(scope="session")
def playing(site: LiveApi) -> Playing:
    """What plays into `site`; it rests while nobody has entered it."""
    return Playing(site)


@pytest.fixture
def live(chromium: webdriver.Chrome, site: LiveApi, playing: Playing) -> Iterator[Browser]:
    """A browser at the live site."""
    with playing:
        yield Browser(chromium, f"http://{site.place}")
        # A page that nobody looks at would go on asking.
        chromium.get("about:blank")


@pytest.fixture(scope="session")
def drawn_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of the drawn site; a test that changes it takes a copy."""
    return make_drawn_run(tmp_path_factory.mktemp("drawn") / "run")


@pytest.fixture
def run(drawn_run: Path, tmp_path: Path) -> Path:
    """A run of the test's own that is over."""
    return shutil.copytree(drawn_run, tmp_path / "run")


@pytest.fixture
def recorded(chromium: webdriver.Chrome, run: Path) -> Iterator[Browser]:
    """A browser at `run`."""
    api = RecordedApi(run)
    yield Browser(chromium, f"http://{api.place}")
    chromium.get("about:blank")
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
