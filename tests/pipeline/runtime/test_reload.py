"""Reloading the site file. Nothing waits: each poll is one call."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.config.load import load_config
from pipeline.config.schema import SiteConfig
from pipeline.errors import UserError
from pipeline.monitoring.watch import Watch
from pipeline.node.changes import SiteChange, SiteChanges
from pipeline.runtime import reload
from pipeline.runtime.reload import (
    Difference,
    Reload,
    SiteFile,
    reload_in_background,
    wait_until_applied,
)

GATE = "cameras: {gate: {source: 'rtsp://bob:secret@h/1'}}\n"
BOTH = "cameras: {gate: {source: 'rtsp://bob:secret@h/1'}, yard: {source: 'rtsp://h/2'}}\n"


class Site:
    """A running site that follows its file, and the changes applied."""

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

    def poll(self, times: int = 2) -> list[str]:
        """The changes applied over some polls."""
        self.done.clear()
        for _ in range(times):
            self.reload.poll()
        return [str(found) for found in self.done]


@pytest.fixture
def running(tmp_path: Path) -> Site:
    return Site(tmp_path / "site.yaml")


def test_an_edited_file_is_applied_once(running: Site, caplog: pytest.LogCaptureFixture) -> None:
    assert running.poll(5) == []
    running.path.write_text(BOTH)
    assert running.poll(5) == ["added yard"]
    running.path.write_text(GATE)
    assert running.poll(5) == ["removed yard"]
    assert caplog.messages == ["site.yaml: added yard", "site.yaml: removed yard"]


def test_a_file_that_is_being_written_is_left_alone(running: Site) -> None:
    for text in ("cam", BOTH[:60], "cameras: {}", BOTH):
        running.path.write_text(text)
        assert running.poll(1) == []
    assert running.poll(1) == ["added yard"]


def test_a_touched_file_or_a_comment_changes_nothing(running: Site) -> None:
    running.path.touch()
    assert running.poll() == []
    running.path.write_text(GATE + "# a word\n")
    assert running.poll() == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cameras: [", "site.yaml is not valid YAML"),
        ("camera: {}", "unknown key 'camera'. Did you mean 'cameras'?"),
        ("  \n", "is empty or cannot be read: expected a configuration"),
    ],
)
def test_an_invalid_file_is_refused_once_and_the_site_continues(
    running: Site, caplog: pytest.LogCaptureFixture, text: str, expected: str
) -> None:
    running.path.write_text(text)
    assert running.poll(5) == []
    (message,) = caplog.messages
    assert expected in message
    assert message.endswith("The site continues unchanged")
    assert "secret" not in message
    running.path.write_text(BOTH)
    assert running.poll() == ["added yard"]


def test_a_deleted_file_closes_nothing(running: Site, caplog: pytest.LogCaptureFixture) -> None:
    running.path.unlink()
    assert running.poll(5) == []
    assert len(caplog.messages) == 1
    running.path.write_text(GATE)
    assert running.poll() == []


def test_what_the_parts_refuse_is_refused(running: Site, caplog: pytest.LogCaptureFixture) -> None:
    running.refuses = "links lead nowhere."
    running.path.write_text(BOTH)
    assert running.poll() == []
    assert caplog.messages == ["links lead nowhere. The site continues unchanged"]
    running.refuses = ""
    running.reload.poll(requested=True)
    assert [found.added for found in running.done] == [("yard",)]


def test_changes_that_take_a_restart_are_logged_in_one_line(
    running: Site, caplog: pytest.LogCaptureFixture
) -> None:
    running.path.write_text(BOTH + "device: cpu\ndetector: {batch: 2}\n")
    assert running.poll() == ["added yard"]
    assert caplog.messages[1:] == ["site.yaml: device, detector changed: restart to apply"]


def test_on_request_the_file_is_read_at_once_even_if_not_watched(tmp_path: Path) -> None:
    running = Site(tmp_path / "site.yaml", watched=False)
    running.path.write_text(BOTH)
    assert running.poll(5) == []
    running.reload.poll(requested=True)
    assert [str(found) for found in running.done] == ["added yard"]


def test_a_change_during_loading_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(GATE)
    file = SiteFile(path, lambda: load_config(path))
    path.write_text(BOTH)
    assert [file.has_changed() for _ in range(2)] == [False, True]


def test_a_request_wakes_the_thread(running: Site) -> None:
    requested, followed = threading.Event(), threading.Event()
    running.path.write_text(BOTH)
    reload = Reload(
        running.file, load_config(running.path), running.check, lambda found: followed.set()
    )
    running.path.write_text(GATE)
    with reload_in_background(reload, requested):
        requested.set()
        assert followed.wait(10)
    assert "reload" not in {thread.name for thread in threading.enumerate()}


def test_an_internal_error_does_not_end_the_polling(
    running: Site, caplog: pytest.LogCaptureFixture
) -> None:
    tried = threading.Semaphore(0)

    def broken(found: Difference) -> None:
        tried.release()
        raise ZeroDivisionError

    reload = Reload(running.file, load_config(running.path), running.check, broken)
    running.path.write_text(BOTH)
    requested = threading.Event()
    with caplog.at_level(logging.ERROR), reload_in_background(reload, requested):
        for _ in range(2):
            requested.set()
            assert tried.acquire(timeout=600)
    assert "reloading the site file failed" in caplog.text


def applied(monkeypatch: pytest.MonkeyPatch, done: Callable[[SiteChange], None]) -> list[str]:
    """What is reported while a change waits; ``done`` ends that."""
    monkeypatch.setattr(reload, "_APPLIED_S", 0.001)
    change, watch, reported = SiteChange(SiteConfig(), (), (), 0.0), Watch(), list[str]()
    waiting = threading.Thread(target=wait_until_applied, args=[change, watch])
    waiting.start()
    while not watch.faults and waiting.is_alive():
        pass
    reported += watch.faults.values()
    done(change)
    waiting.join()
    assert watch.faults == {}
    return reported


def test_a_change_that_the_node_does_not_apply_is_reported(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    text = "the node has not applied the last change of the site file yet"
    assert applied(monkeypatch, lambda change: change.done.set()) == [text]
    assert [text in message for message in caplog.messages] == [True, False]


def test_a_node_that_has_ended_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def end(change: SiteChange) -> None:
        changes = SiteChanges("n")
        changes.put(change)
        changes.close()
        late = SiteChange(SiteConfig(), (), (), 0.0)
        changes.put(late)
        assert late.done.is_set()

    assert applied(monkeypatch, end)
