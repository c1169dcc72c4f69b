"""Open a live address, and tell why it cannot be opened."""

import socket
import sys
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import av
from av.container import InputContainer
from av.error import (
    ExitError,
    FFmpegError,
    HTTPForbiddenError,
    HTTPNotFoundError,
    HTTPUnauthorizedError,
    InvalidDataError,
)
from av.video.stream import VideoStream

from pipeline.config.schema import CameraConfig
from pipeline.errors import UserError
from pipeline.sources.decoding import accelerator, has_decoder, reason_of, video_stream
from pipeline.sources.redact import redact
from pipeline.sources.source_kinds import is_url

_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443, "rtmp": 1935, "rtmps": 443}
_SCHEMES = (*_PORTS, "srt", "udp", "rtp", "tcp")
#: How FFmpeg names a webcam: input format and the text before its index.
_WEBCAMS = {"linux": ("v4l2", "/dev/video"), "darwin": ("avfoundation", "")}
_LOOK_UP_S = 3.0


class NoConnection(Exception):
    """There is no picture, and why. ``mistake``: only a person can mend it, waiting does not."""

    def __init__(self, reason: str, *, mistake: bool = False) -> None:
        super().__init__(reason)
        self.mistake = mistake


@dataclass(frozen=True, slots=True)
class Address:
    """What FFmpeg opens; ``name`` is how people may see it, without the password."""

    url: str
    name: str
    input_format: str | None
    options: dict[str, str]
    has_login: bool


@dataclass(frozen=True, slots=True)
class Connection:
    """An open stream.

    ``recorded``: it has an end. ``bursts``: it comes in pieces of seconds, to be shown at its own
    pace. ``timed``: its times are the camera's, not made up by FFmpeg.
    """

    container: InputContainer
    stream: VideoStream
    recorded: bool
    bursts: bool
    timed: bool


def address_of(source: str, config: CameraConfig) -> Address:
    """The address of ``source``. Raises UserError for what no live camera can be behind."""
    if not is_url(source):
        return _webcam(source)
    name = redact(source)
    scheme = source.split("://", 1)[0].lower()
    if scheme not in _SCHEMES:
        raise UserError(f"{name}: expected an address with one of {', '.join(_SCHEMES)}")
    transport: dict[str, str] = {"rtsp_transport": config.live.transport}
    options = transport if scheme.startswith("rtsp") else {}
    host = source.split("://", 1)[1].split("/", 1)[0]
    return Address(source, name, None, options, "@" in host)


def connect(address: Address, config: CameraConfig, *, quick: bool) -> Connection:
    """Open ``address``; ``quick`` leaves the frame rate to what the stream says of itself.

    Raises NoConnection.
    """
    started = time.monotonic()
    live = config.live
    try:
        container = av.open(
            address.url,
            format=address.input_format,
            options={**address.options, **({"fpsprobesize": "0"} if quick else {})},
            metadata_errors="replace",
            timeout=(live.open_timeout_s, live.read_timeout_s),
            hwaccel=accelerator(config.hwaccel),
        )
    except FFmpegError as error:
        fault = _fault(error, address, time.monotonic() - started, live.open_timeout_s)
    else:
        return _checked(container, address)
    # FFmpeg's own error names the whole address, password included: it must not be chained.
    raise fault


def _webcam(source: str) -> Address:
    name = f"webcam {source}"
    if sys.platform not in _WEBCAMS:
        raise UserError(f"{name}: webcams work on Linux and macOS. Use an RTSP address instead")
    input_format, prefix = _WEBCAMS[sys.platform]
    return Address(prefix + str(int(source)), name, input_format, {}, False)


def _checked(container: InputContainer, address: Address) -> Connection:
    stream = video_stream(container)
    if stream is None or not has_decoder(stream):
        kinds = " and ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        what = f"only {kinds}" if stream is None else "in a codec without a decoder here"
        container.close()
        raise NoConnection(f"{address.name} sends no video that can be shown, {what}", mistake=True)
    # FFmpeg takes the live pictures of an old-fashioned web camera for 25 a second.
    name = container.format.name
    recorded = container.duration is not None or (name != "hls" and container.size > 0)
    return Connection(container, stream, recorded, recorded or name == "hls", name != "mpjpeg")


def _fault(error: FFmpegError, address: Address, took_s: float, limit_s: float) -> NoConnection:
    """What went wrong, as told by the camera or else by the network."""
    at = f"cannot open {address.name}"
    if isinstance(error, HTTPUnauthorizedError | HTTPForbiddenError):
        wrong = "the user or the password is wrong" if address.has_login else "it asks for a login"
        hint = "" if address.has_login else ": write it as ://USER:PASSWORD@HOST"
        return NoConnection(f"{at}: {wrong} ({_number(error)}){hint}", mistake=True)
    if isinstance(error, HTTPNotFoundError):
        text = f"{at}: the camera has no such stream (404). Check the path behind the host"
        return NoConnection(text, mistake=True)
    return (
        _network_fault(address, at)
        or _no_answer(error, at, took_s, limit_s)
        or NoConnection(f"{at}: {reason_of(error)}. Check that it is on and reachable")
    )


def _number(error: FFmpegError) -> int:
    return 401 if isinstance(error, HTTPUnauthorizedError) else 403


def _no_answer(error: Any, at: str, took_s: float, limit_s: float) -> NoConnection | None:
    # An RTSP server that does not answer looks like one that talks nonsense.
    if isinstance(error, ExitError | InvalidDataError) and took_s >= limit_s:
        return NoConnection(f"{at}: connected, but no answer within {limit_s:g} s")
    return None


def _network_fault(address: Address, at: str) -> NoConnection | None:
    """Why there is no way to the host; None when there is one."""
    parts = urlsplit(address.name)
    host, port = parts.hostname, _port(address.name)
    if host is None or port is None:
        return None
    try:
        socket.create_connection((host, port), timeout=_LOOK_UP_S).close()
    except socket.gaierror as error:
        unknown = error.errno == socket.EAI_NONAME
        return NoConnection(f"{at}: unknown host {host} ({error.strerror})", mistake=unknown)
    except TimeoutError:
        return NoConnection(f"{at}: {host} does not answer. Check that it is on and reachable")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return NoConnection(f"{at}: {reason} by {host}, port {port}. Check that it is on")
    return None


def _port(name: str) -> int | None:
    parts = urlsplit(name)
    try:
        return parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None
