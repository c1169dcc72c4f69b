"""Serves the page of the console, whose compiled files come with fusetrack."""

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from fastapi import FastAPI, HTTPException, Request, Response

#: What `scripts/console` compiles.
BUILT = Path(__file__).parent.parent / "console" / "built"
#: Where its files are served; they need no token, because the login is one of its screens.
PREFIX = "/console/"

_TYPES = MappingProxyType(
    {
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".svg": "image/svg+xml",
    }
)
# Nothing of other servers, no inline script or style, in no frame of another page.
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    zipped: bytes
    kind: str
    tag: str

    @staticmethod
    def of(path: Path) -> "_File":
        content = path.read_bytes()
        tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        return _File(content, gzip.compress(content, mtime=0), _TYPES[path.suffix], tag)

    def answer(self, request: Request) -> Response:
        # Requested again with each visit, and sent only when it has changed.
        headers = {"Cache-Control": "no-cache", "ETag": self.tag, "Vary": "Accept-Encoding"}
        headers["Content-Security-Policy"] = _POLICY
        if self.tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(self.content, headers=headers, media_type=self.kind)
        headers["Content-Encoding"] = "gzip"
        return Response(self.zipped, headers=headers, media_type=self.kind)


def add_console(app: FastAPI) -> None:
    """Serve the page at ``/`` and its files below `PREFIX`. Raises OSError without them."""
    page = _File.of(BUILT / "index.html")
    files = {path.name: _File.of(path) for path in sorted((BUILT / "console").iterdir())}

    @app.get("/", include_in_schema=False)
    def index(request: Request) -> Response:
        return page.answer(request)

    @app.get(PREFIX + "{name}", include_in_schema=False)
    def part(request: Request, name: str) -> Response:
        if name not in files:
            raise HTTPException(404, f"the console has no file {name!r}")
        return files[name].answer(request)
