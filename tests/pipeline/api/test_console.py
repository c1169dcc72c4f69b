"""How the page of the console is served; what it does is tested in tests/pipeline/console."""

from collections.abc import Callable

import pytest

from live_api import TOKEN, LiveApi
from pipeline.api.console import BUILT

FILES = ["/", "/console/console.js", "/console/console.css", "/console/icon.svg"]


@pytest.mark.parametrize("path", FILES)
def test_the_page_needs_no_token(open_api: Callable[..., LiveApi], path: str) -> None:
    answer = open_api(token=TOKEN).http.get(path)
    assert answer.status_code == 200
    assert answer.headers["Content-Encoding"] == "gzip"
    name = "index.html" if path == "/" else path[1:]
    assert answer.content == (BUILT / name).read_bytes()


def test_a_page_that_is_known_is_not_sent_again(api: LiveApi) -> None:
    first = api.http.get("/", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in first.headers
    assert first.headers["Cache-Control"] == "no-cache"
    again = api.http.get("/", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_page_may_load_and_run_nothing_else(api: LiveApi) -> None:
    policy = api.http.get("/").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in (BUILT / "index.html").read_text()


def test_other_files_are_not_served(api: LiveApi) -> None:
    for path in ("/console/none.js", "/console/..%2findex.html", "/console/", "/console/a/b"):
        assert api.http.get(path).status_code == 404


def test_what_is_loaded_first_is_small() -> None:
    assert sum(path.stat().st_size for path in BUILT.rglob("*") if path.is_file()) < 600_000
