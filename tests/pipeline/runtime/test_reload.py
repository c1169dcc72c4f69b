"""The file of a running site, read again. Nothing waits: each look is one call."""

import logging
import threading
from pathlib import Path

import pytest

from pipeline.config.load import load_config
from pipeline.config.schema import SiteConfig
from pipeline.errors import UserError
from pipeline.runtime.reload import Difference, Reload, SiteFile, reloading

GATE = "cameras: {gate: {source: 'rtsp://bob:secret@h/1'}}\n"
BOTH = "cameras: {gate: {source: 'rtsp://bob:secret@h/1'}, yard: {source: 'rtsp://h/2'}}\n"


class Site:
    """A running site that does what its file says, and what was done."""

    def __init__(self, path: Path, *, watched: bool = True) -> None:
        self.path = path
        path.write_text(GATE)
        self.done: list[Difference] = []
        self.refuses = ""
        self.file = SiteFile(path, lambda: load_config(path), watched=watched)
        self.reload = Reload(self.file, load_config(path), self.check, self.done.append)

    def check(self, wanted: SiteConfig) -> None:
        if self.refuses:
            raise UserError(self.refuses)

    def look(self, times: int = 2) -> list[str]:
        """What was done over some looks."""
        self.done.clear()
        for _ in range(times):
            self.reload.look()
        return [str(found) for found in self.done]


@pytest.fixture
def running(tmp_path: Path) -> Site:
    return Site(tmp_path / "site.yaml")


def test_an_edited_file_is_followed_once(running: Site, caplog: pytest.LogCaptureFixture) -> None:
    assert running.look(5) == []
    running.path.write_text(BOTH)
    assert running.look(5) == ["added yard"]
    running.path.write_text(GATE)
    assert running.look(5) == ["removed yard"]
    assert caplog.messages == ["site.yaml: added yard", "site.yaml: removed yard"]


def test_a_file_that_is_being_written_is_left_alone(running: Site) -> None:
    for text in ("cam", BOTH[:60], "cameras: {}", BOTH):
        running.path.write_text(text)
        assert running.look(1) == []
    assert running.look(1) == ["added yard"]


def test_a_touched_file_or_a_comment_changes_nothing(running: Site) -> None:
    running.path.touch()
    assert running.look() == []
    running.path.write_text(GATE + "# a word\n")
    assert running.look() == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("cameras: [", "site.yaml is not valid YAML"),
        ("camera: {}", "unknown key 'camera'. Did you mean 'cameras'?"),
        ("  \n", "is empty or cannot be read: expected a configuration"),
    ],
)
def test_a_faulty_file_is_refused_once_and_the_site_goes_on(
    running: Site, caplog: pytest.LogCaptureFixture, text: str, told: str
) -> None:
    running.path.write_text(text)
    assert running.look(5) == []
    (message,) = caplog.messages
    assert told in message
    assert message.endswith("The site goes on as it was")
    assert "secret" not in message
    running.path.write_text(BOTH)
    assert running.look() == ["added yard"]


def test_a_file_that_is_gone_closes_nothing(
    running: Site, caplog: pytest.LogCaptureFixture
) -> None:
    running.path.unlink()
    assert running.look(5) == []
    assert len(caplog.messages) == 1
    running.path.write_text(GATE)
    assert running.look() == []


def test_what_the_parts_refuse_is_refused(running: Site, caplog: pytest.LogCaptureFixture) -> None:
    running.refuses = "ways lead nowhere."
    running.path.write_text(BOTH)
    assert running.look() == []
    assert caplog.messages == ["ways lead nowhere. The site goes on as it was"]
    running.refuses = ""
    running.reload.look(asked=True)
    assert [found.added for found in running.done] == [("yard",)]


def test_what_takes_a_restart_is_said_in_one_line(
    running: Site, caplog: pytest.LogCaptureFixture
) -> None:
    running.path.write_text(BOTH + "device: cpu\ndetector: {batch: 2}\n")
    assert running.look() == ["added yard"]
    assert caplog.messages[1:] == ["site.yaml: device, detector changed: restart to apply"]


def test_asked_for_it_is_read_at_once_also_when_it_is_not_watched(tmp_path: Path) -> None:
    running = Site(tmp_path / "site.yaml", watched=False)
    running.path.write_text(BOTH)
    assert running.look(5) == []
    running.reload.look(asked=True)
    assert [str(found) for found in running.done] == ["added yard"]


def test_what_was_written_while_it_was_loaded_counts(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(GATE)
    file = SiteFile(path, lambda: load_config(path))
    path.write_text(BOTH)
    assert [file.has_changed() for _ in range(2)] == [False, True]


def test_somebody_who_asks_wakes_the_thread(running: Site) -> None:
    asked, followed = threading.Event(), threading.Event()
    running.path.write_text(BOTH)
    reload = Reload(
        running.file, load_config(running.path), running.check, lambda found: followed.set()
    )
    running.path.write_text(GATE)
    with reloading(reload, asked):
        asked.set()
        assert followed.wait(10)
    assert "reload" not in {thread.name for thread in threading.enumerate()}


def test_a_fault_of_ours_does_not_end_the_following(
    running: Site, caplog: pytest.LogCaptureFixture
) -> None:
    tried = threading.Semaphore(0)

    def broken(found: Difference) -> None:
        tried.release()
        raise ZeroDivisionError

    reload = Reload(running.file, load_config(running.path), running.check, broken)
    running.path.write_text(BOTH)
    asked = threading.Event()
    with caplog.at_level(logging.ERROR), reloading(reload, asked):
        for _ in range(2):
            asked.set()
            assert tried.acquire(timeout=600)
    assert "could not be followed" in caplog.text
