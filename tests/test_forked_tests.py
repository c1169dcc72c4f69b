"""Tests in several processes end like those in one, and a process that dies is told."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_CONFTEST = """
import forked_tests
def pytest_addoption(parser):
    forked_tests.add_option(parser)
def pytest_runtestloop(session):
    return forked_tests.run(session)
"""
_SETTINGS = f"[pytest]\npythonpath = {Path(__file__).parent}\naddopts = -p no:cacheprovider\n"


def outcome(folder: Path, files: dict[str, str], *arguments: str) -> tuple[int, str]:
    """How pytest ends with these files, and what it says."""
    (folder / "conftest.py").write_text(_CONFTEST)
    (folder / "pytest.ini").write_text(_SETTINGS)
    for name, text in files.items():
        (folder / name).write_text(text)
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=folder,
        env={**os.environ, "COUNTED_LINES": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return ended.returncode, ended.stdout


def test_what_comes_of_tests_is_reported_once(tmp_path: Path) -> None:
    files = {
        "test_a.py": """
import os, pytest
@pytest.fixture(scope="module", autouse=True)
def once(tmp_path_factory):
    yield
    (tmp_path_factory.getbasetemp() / f"ended {os.getpid()}").touch(exist_ok=False)
def test_passes(tmp_path):
    print("said by the first")
def test_fails():
    print("said by the second")
    assert 1 == 2
""",
        "test_b.py": """
import pytest
@pytest.fixture(scope="session", autouse=True)
def late():
    yield
    raise OSError("the session ended badly")
@pytest.mark.xfail
def test_is_expected_to_fail():
    assert False
def test_is_skipped():
    pytest.skip("for a reason")
""",
    }
    code, said = outcome(tmp_path, files, "--processes", "3", "-rA", "--basetemp", "base")
    assert code == 1
    assert "1 failed, 1 passed, 1 skipped, 1 xfailed, 1 error" in said
    assert "FAILED test_a.py::test_fails - assert 1 == 2" in said
    assert "ERROR test_b.py::test_is_skipped - OSError: the session ended badly" in said
    for who in ("first", "second"):
        assert said.count(f"\nsaid by the {who}\n") == 1
    assert len(list((tmp_path / "base").glob("process*/ended *"))) == 1


@pytest.mark.parametrize("end", ["os._exit(7)", "os.kill(os.getpid(), 9)", "pytest.exit('no')"])
def test_a_process_that_ends_too_early_fails_its_test(tmp_path: Path, end: str) -> None:
    files = {
        "test_a.py": f"import os, pytest\ndef test_ends():\n    {end}\ndef test_next(): pass",
        "test_b.py": "def test_goes_on(): pass",
    }
    code, said = outcome(tmp_path, files, "--processes", "2")
    assert code == 1
    assert "FAILED test_a.py::test_ends - the process ended with" in said
    assert "1 failed, 1 passed" in said


def test_the_first_failure_ends_all_where_that_is_asked_for(tmp_path: Path) -> None:
    files = {
        "test_a.py": "def test_fails(): assert False",
        "test_b.py": "import time\ndef test_waits(): time.sleep(300)",
    }
    code, said = outcome(tmp_path, files, "--processes", "2", "-x")
    assert code == 1
    assert "1 failed in" in said
