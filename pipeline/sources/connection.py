"""Connect to a live camera, and explain why a connection fails."""

import errno
import re
import socket
import sys
import time
from dataclasses import dataclass
from glob import glob
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
from pipeline.sources.source_kinds import authority_of, ends_a_login, is_url

_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443, "rtmp": 1935, "rtmps": 443}
_SCHEMES = (*_PORTS, "srt", "udp", "rtp", "tcp")
#: How FFmpeg names a webcam: input format and the text before its index.
_WEBCAMS = {"linux": ("v4l2", "/dev/video"), "darwin": ("avfoundation", "")}
_LOOK_UP_S = 3.0


class NoConnection(Exception):
    """No connection, and why. ``permanent``: retrying does not help, a person must fix it."""

    def __init__(self, reason: str, *, permanent: bool = False) -> None:
        super().__init__(reason)
        self.permanent = permanent


@dataclass(frozen=True, slots=True)
class Address:
    """What FFmpeg opens; ``name`` is the address without its password, for messages."""

    url: str
    name: str
    input_format: str | None
    options: dict[str, str]
    has_login: bool


@dataclass(frozen=True, slots=True)
class Connection:
    """An open stream.

    ``recorded``: the stream has an end. ``bursts``: it arrives in segments of several seconds and
    must be paced. ``timed``: its times are the camera's, not invented by FFmpeg.
    """

    container: InputContainer
    stream: VideoStream
    recorded: bool
    bursts: bool
    timed: bool


def address_of(source: str, config: CameraConfig) -> Address:
    """The address of ``source``. Raises UserError if it cannot be that of a live camera."""
    if not is_url(source):
        return _webcam(source)
    name = redact(source)
    if not source.isprintable():
        raise UserError(f"{name!r} is no address: it has a line break or a control character")
    scheme = source.split("://", 1)[0].lower()
    if scheme not in _SCHEMES:
        raise UserError(f"{name}: expected an address with one of {', '.join(_SCHEMES)}")
    rest = source.split("://", 1)[1]
    authority = authority_of(source)
    _check_authority(authority, rest, name)
    transport: dict[str, str] = {"rtsp_transport": config.live.transport}
    options = transport if scheme.startswith("rtsp") else {}
    return Address(source, name, None, options, "@" in authority)


def _check_authority(authority: str, rest: str, name: str) -> None:
    """Raise UserError when the part before the path is not a valid login, host and port."""
    place = authority.rpartition("@")[2]
    port = re.sub(r"^(\[[^]]*\]|[^:]*):?", "", place)
    cut = "@" not in authority and "@" in rest and "://" not in rest
    if cut and (rest[len(authority)] == "#" or not _is_port(port) or ends_a_login(rest)):
        raise UserError(
            f"{name}: a user or password must not contain /, ? or #. Write / as %2F, ? as %3F and "
            "# as %23"
        )
    if not place or place.startswith(":"):
        raise UserError(f"{name}: no host: expected ://HOST/PATH or ://USER:PASSWORD@HOST/PATH")
    if not _is_port(port):
        raise UserError(f"{name}: {port} is not a port: expected a number from 1 to 65535")


def _is_port(text: str) -> bool:
    return not text or (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535)


def connect(address: Address, config: CameraConfig, *, quick: bool) -> Connection:
    """Open ``address``; ``quick`` skips measuring the frame rate and uses the declared one.

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
    # FFmpeg's own error contains the address with its password: it must not be chained.
    raise fault


def _webcam(source: str) -> Address:
    name = f"webcam {source}"
    if sys.platform not in _WEBCAMS:
        raise UserError(f"{name}: webcams need Linux or macOS. Use an RTSP address instead")
    input_format, prefix = _WEBCAMS[sys.platform]
    return Address(prefix + str(int(source)), name, input_format, {}, False)


def _checked(container: InputContainer, address: Address) -> Connection:
    stream = video_stream(container)
    if stream is None or not has_decoder(stream):
        kinds = " and ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        what = f"only {kinds}" if stream is None else "its codec has no decoder here"
        container.close()
        raise NoConnection(f"{address.name} sends no usable video: {what}", permanent=True)
    # FFmpeg assumes 25 frames per second for MJPEG over HTTP, whatever the camera sends.
    name = container.format.name
    recorded = container.duration is not None or (name != "hls" and container.size > 0)
    return Connection(container, stream, recorded, recorded or name == "hls", name != "mpjpeg")


def _fault(error: FFmpegError, address: Address, took_s: float, limit_s: float) -> NoConnection:
    """What went wrong, according to the camera or else to the network."""
    at = f"cannot open {address.name}"
    if address.input_format is not None:
        return _device_fault(error, address, at)
    if isinstance(error, HTTPUnauthorizedError | HTTPForbiddenError):
        wrong = "wrong user or password" if address.has_login else "the camera requires a login"
        hint = "" if address.has_login else ": write the address as ://USER:PASSWORD@HOST"
        return NoConnection(f"{at}: {wrong} ({_number(error)}){hint}", permanent=True)
    if isinstance(error, HTTPNotFoundError):
        text = f"{at}: the camera has no such stream (404). Check the path behind the host"
        return NoConnection(text, permanent=True)
    return (
        _network_fault(address, at)
        or _no_answer(error, at, took_s, limit_s)
        or NoConnection(f"{at}: {reason_of(error)}. Check that the camera is on and reachable")
    )


def _device_fault(error: FFmpegError, address: Address, at: str) -> NoConnection:
    """Why a webcam cannot be used, according to the operating system."""
    if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        reason = f"{address.name} is missing: there is no {address.url}{_webcams_here(address)}"
    elif error.errno in (errno.ENOTTY, errno.EINVAL, errno.EISDIR):
        reason = f"{at}: {address.url} is not a camera{_webcams_here(address)}"
    elif error.errno in (errno.EACCES, errno.EPERM):
        reason = f"{at}: no permission to read {address.url}. Add the user to the group video"
    else:
        # A device in use, for example, which may pass by itself.
        return NoConnection(f"{at}: {reason_of(error)}. Check that no other program uses it")
    return NoConnection(reason, permanent=True)


def _webcams_here(address: Address) -> str:
    """The webcams that there are, as a hint."""
    prefix = address.url.rstrip("0123456789")
    if not prefix:
        return ""
    found = sorted(int(path[len(prefix) :]) for path in glob(f"{prefix}[0-9]*"))
    return f". Connected are {', '.join(map(str, found))}" if found else ". None is connected"


def _number(error: FFmpegError) -> int:
    return 401 if isinstance(error, HTTPUnauthorizedError) else 403


def _no_answer(error: Any, at: str, took_s: float, limit_s: float) -> NoConnection | None:
    # FFmpeg reports a server that does not answer in the same way as invalid data.
    if isinstance(error, ExitError | InvalidDataError) and took_s >= limit_s:
        return NoConnection(f"{at}: connected, but no answer within {limit_s:g} s")
    return None


def _network_fault(address: Address, at: str) -> NoConnection | None:
    """Why the host cannot be reached; None when it can."""
    parts = urlsplit(address.name)
    host, port = parts.hostname, _port(address.name)
    if host is None or port is None:
        return None
    try:
        socket.create_connection((host, port), timeout=_LOOK_UP_S).close()
    except socket.gaierror as error:
        unknown = error.errno == socket.EAI_NONAME
        return NoConnection(f"{at}: unknown host {host} ({error.strerror})", permanent=unknown)
    except TimeoutError:
        return NoConnection(f"{at}: {host} does not answer. Check that it is on and reachable")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return NoConnection(f"{at}: {reason} at {host}, port {port}. Check that it is on")
    return None


def _port(name: str) -> int | None:
    parts = urlsplit(name)
    try:
        return parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None
