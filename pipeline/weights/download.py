"""Download one file over HTTP, or open one page."""

import base64
import urllib.request
from http.client import HTTPException
from typing import IO
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit, urlunsplit

_TIMEOUT_S = 60.0


class SourceError(Exception):
    """A source did not deliver the file; the next one is tried."""


def download(url: str, size: int, output: IO[bytes], accept: str = "*/*") -> str:
    """Write what ``url`` sends, at most ``size`` bytes; returns its content type.

    A user and password in ``url`` are sent as HTTP's basic authentication. Raises SourceError.
    """
    try:
        with urllib.request.urlopen(_request(url, accept), timeout=_TIMEOUT_S) as response:
            left = size
            while block := response.read(1 << 20):
                left -= len(block)
                if left < 0:
                    raise SourceError(f"it is larger than the {size} bytes expected")
                output.write(block)
            return str(response.headers.get("Content-Type", ""))
    except HTTPError as error:
        # It holds the connection.
        with error:
            raise SourceError(f"HTTP Error {error.code}: {error.reason}") from None
    # A ValueError is an address that is none.
    except (OSError, HTTPException, ValueError) as error:
        raise SourceError(" ".join(str(error).split()) or type(error).__name__) from None


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
