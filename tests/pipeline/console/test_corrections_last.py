"""A correction in the page is kept whatever happens to the server right after it."""

import subprocess
from pathlib import Path

import polars as pl
import pytest
from selenium import webdriver

import fork_server
from browsers import Browser
from command_line import killed_at_the_end
from pipeline.exports import export_run
from pipeline.run_directory.reader import RunDirectory

SERVE = ("serve", "--listen", "127.0.0.1:0", "--out")


def people(run: Path) -> set[int]:
    """The global ids in the export."""
    return set(pl.read_parquet(export_run(RunDirectory(run), "parquet"))["global_id"])


@pytest.mark.slow
def test_a_merge_is_in_the_export_after_the_server_was_killed(
    chromium: webdriver.Chrome, run: Path
) -> None:
    assert people(run) == {1, 2, 3, 4, 5}
    with killed_at_the_end() as started:
        server = fork_server.start(*SERVE, run, stderr=subprocess.PIPE, text=True)
        started.append(server)
        assert server.stderr is not None
        page = Browser(chromium, server.stderr.readline().split()[-1])
        page.open("person/4")
        page.click(".actions button", "Merge")
        page.one("dialog input").send_keys("1")
        page.click("dialog button.primary")
        page.one(".history", "4")
        server.kill()
        server.wait()
        assert people(run) == {1, 2, 3, 5}
        page.one(".connection.lost")
        chromium.get("about:blank")
