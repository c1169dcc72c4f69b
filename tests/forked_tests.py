"""Tests in several processes: with ``--processes N`` pytest imports and collects once, and forks.

Each fork takes the next file of tests until none is left, and sends what comes of every test to
the process that collected, which reports it.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, groupby, pairwise
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

import pytest

import forked_coverage

_FORK = get_context("fork")
#: The number of a file takes so many bytes in the pipe from which all processes read.
_NUMBER = 4


def add_option(parser: pytest.Parser) -> None:
    """Let pytest be told ``--processes``."""
    parser.addoption("--processes", type=int, default=0, help="how many; 0: this one")


def run(session: pytest.Session) -> bool | None:
    """Run the tests that were collected; None to leave it to pytest."""
    config = session.config
    if not config.option.processes or session.testsfailed or config.option.collectonly:
        return None
    # Each process has a file of its own for what tests write, and in this folder one for theirs.
    config.pluginmanager.getplugin("capturemanager").stop_global_capturing()
    config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
    files = [list(tests) for _, tests in groupby(session.items, key=lambda item: item.path)]
    left = _numbers(len(files))
    workers = {}
    for _ in range(config.option.processes):
        ours, theirs = _FORK.Pipe(duplex=False)
        worker = _FORK.Process(target=_work, args=(session, files, left, theirs))
        worker.start()
        theirs.close()
        workers[ours] = worker
    try:
        _report(session, workers)
    finally:
        for worker in workers.values():
            worker.kill()
            worker.join()
    return True


def _numbers(count: int) -> int:
    """What to read the numbers of files from: each is read once, by any process."""
    left, right = os.pipe()
    with open(right, "wb") as pipe:
        pipe.write(b"".join(number.to_bytes(_NUMBER) for number in range(count)))
    return left


def _report(session: pytest.Session, workers: Mapping[Connection, BaseProcess]) -> None:
    """Report what the processes send until all have ended."""
    hook = session.config.hook
    running = dict.fromkeys(workers, "nothing")
    while running:
        for line in wait(list(running)):
            assert isinstance(line, Connection)
            try:
                running[line], data = line.recv()
            except EOFError:
                test = running.pop(line)
                workers[line].join()
                if workers[line].exitcode:
                    _report_end(session, test, workers[line].exitcode)
                continue
            if data is not None:
                report = hook.pytest_report_from_serializable(config=session.config, data=data)
                hook.pytest_runtest_logreport(report=report)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)


def _report_end(session: pytest.Session, test: str, code: int | None) -> None:
    text = f"the process ended with {code}, and ran nothing more of what it had taken"
    report = pytest.TestReport(test, (test, None, ""), {}, "failed", text, "call")
    session.config.hook.pytest_runtest_logreport(report=report)


class _Sender:
    """Sends which test begins, and what comes of it."""

    def __init__(self, config: pytest.Config, line: Connection) -> None:
        self._config = config
        self._line = line

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._line.send((nodeid, None))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._line.send((report.nodeid, data))


def _work(
    session: pytest.Session, files: Sequence[list[pytest.Item]], left: int, line: Connection
) -> None:
    config = session.config
    forked_coverage.keep_at_end()
    # The terminal is for the process that reports.
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    capture = config.pluginmanager.getplugin("capturemanager")
    capture.start_global_capturing()
    capture.suspend_global_capture()
    # For each folder of a test, all folders beside it are looked through.
    folders = config._tmp_path_factory  # type: ignore[attr-defined]
    folders._basetemp = folders.mktemp("process")
    config.pluginmanager.register(_Sender(config, line))
    # What the last test of a file leaves to the next file is known only with that file.
    for item, after in pairwise(chain(_taken(files, left), [None])):
        config.hook.pytest_runtest_protocol(item=item, nextitem=after)


def _taken(files: Sequence[list[pytest.Item]], left: int) -> Iterator[Any]:
    while number := os.read(left, _NUMBER):
        yield from files[int.from_bytes(number)]
