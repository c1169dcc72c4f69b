"""Downloads: a file or page over HTTP, and a wheel from a package index where pip is not installed.

The latter as in environments of uv, by the simple repository API as HTML or JSON:
https://packaging.python.org/en/latest/specifications/simple-repository-api/
"""

import base64
import hashlib
import io
import json
import os
import re
import urllib.request
from dataclasses import dataclass
from html.parser import HTMLParser
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError
from urllib.parse import unquote, urldefrag, urljoin, urlsplit, urlunsplit

_TIMEOUT_S = 60.0
_PYPI = "https://pypi.org/simple"
#: Where uv and pip take the address of the index from, in this order.
_SETTINGS = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
_ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"
_LARGEST_PAGE = 64 << 20
_LARGEST_WHEEL = 4 << 30


class SourceError(Exception):
    """A source did not deliver the file; the next one is tried."""


def download(url: str, size: int, output: IO[bytes], accept: str = "*/*") -> str:
    """Write what ``url`` sends, at most ``size`` bytes; returns its content type.

    A user and password in ``url`` are sent as HTTP's basic authentication. Raises SourceError.
    """
    try:
        with urllib.request.urlopen(_request(url, accept), timeout=_TIMEOUT_S) as response:
            copy_at_most(size, response, output)
            return str(response.headers.get("Content-Type", ""))
    except HTTPError as error:
        # It holds the connection.
        with error:
            raise SourceError(f"HTTP Error {error.code}: {error.reason}") from None
    # A ValueError is an address that is none.
    except (OSError, HTTPException, ValueError) as error:
        raise SourceError(" ".join(str(error).split()) or type(error).__name__) from None


def copy_at_most(size: int, file: IO[bytes], output: IO[bytes]) -> None:
    """Copy ``file``; raise SourceError when it has more than ``size`` bytes, whatever it says."""
    left = size
    while block := file.read(1 << 20):
        left -= len(block)
        if left < 0:
            raise SourceError(f"it is larger than the {size} bytes expected")
        output.write(block)


def _request(url: str, accept: str) -> urllib.request.Request:
    parts = urlsplit(url)
    login, _, place = parts.netloc.rpartition("@")
    request = urllib.request.Request(urlunsplit(parts._replace(netloc=place)))
    request.add_header("Accept", accept)
    if login:
        secret = base64.b64encode(unquote(login).encode()).decode()
        # Not sent on to where a redirect leads.
        request.add_unredirected_header("Authorization", f"Basic {secret}")
    return request


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    url: str
    sha256: str


def download_wheel(wheel: str, scratch: Path) -> Path:
    """The wheel ``name==version`` in ``scratch``, verified by the hash that the index gives.

    Raises SourceError.
    """
    index = next((os.environ[name] for name in _SETTINGS if os.environ.get(name)), _PYPI)
    name, version = wheel.split("==")
    page = f"{index.rstrip('/')}/{_normalised(name)}/"
    content = io.BytesIO()
    kind = download(page, _LARGEST_PAGE, content, _ACCEPT)
    text = content.getvalue().decode("utf-8", "replace")
    files = _json_files(text, page) if "json" in kind else _html_files(text, page)
    found = [one for one in files if _is_wheel_of(one.name, name, version)]
    if not found:
        raise SourceError(f"the package index has no wheel of {wheel}")
    return _fetched(min(found, key=lambda one: not one.name.endswith("-none-any.whl")), scratch)


def _fetched(file: _File, scratch: Path) -> Path:
    path = scratch / file.name
    with path.open("xb") as output:
        download(file.url, _LARGEST_WHEEL, output)
    with path.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if file.sha256 and found != file.sha256:
        raise SourceError(f"{file.name}: its sha256 is {found}, the index gives {file.sha256}")
    return path


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _is_wheel_of(file: str, name: str, version: str) -> bool:
    parts = file.removesuffix(".whl").split("-")
    plain = file.endswith(".whl") and len(parts) >= 5 and "/" not in file
    return plain and (_normalised(parts[0]), parts[1]) == (_normalised(name), version)


def _json_files(text: str, page: str) -> list[_File]:
    try:
        return [
            _File(str(one["filename"]), _with_login(one["url"], page), _sha256(one.get("hashes")))
            for one in json.loads(text)["files"]
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(f"the package index answers with no list of files ({error!r})") from None


def _sha256(hashes: Any) -> str:
    return str(hashes.get("sha256", "")) if isinstance(hashes, dict) else ""


def _html_files(text: str, page: str) -> list[_File]:
    links = _Links()
    links.feed(text)
    found = []
    for link in links.addresses:
        url, fragment = urldefrag(link)
        name = unquote(urlsplit(url).path.rsplit("/", 1)[-1])
        sha256 = fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else ""
        found.append(_File(name, _with_login(url, page), sha256))
    return found


def _with_login(link: str, page: str) -> str:
    """The absolute address of ``link``, with the login of ``page`` on the same host."""
    url, here = urlsplit(urljoin(page, link)), urlsplit(page)
    same = (url.scheme, url.hostname, url.port) == (here.scheme, here.hostname, here.port)
    return url._replace(netloc=here.netloc).geturl() if same else url.geturl()


class _Links(HTMLParser):
    """The addresses of the links of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value for key, value in attrs if (tag, key) == ("a", "href") and value]
