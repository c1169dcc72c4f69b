"""Decoding by hardware: whether this machine can, and why not."""

import logging
from functools import cache

import av
from av.codec.hwaccel import HWAccel, hwdevices_available
from av.error import FFmpegError

_LOG = logging.getLogger(__name__)


def tell_why_not(kind: str, camera_id: str) -> None:
    """Warn in the log when the camera cannot be decoded by ``kind`` though that was asked for."""
    if kind != "none" and why_not(kind):
        reason = why_not(kind)
        _LOG.warning(
            "camera %s: no decoding by %s: %s. The processor decodes", camera_id, kind, reason
        )


def accelerator(kind: str) -> HWAccel | None:
    """What `av.open` takes to decode by ``kind``; None for "none" and where there is none of it.

    A codec that the hardware does not know is decoded by the processor.
    """
    if kind == "none" or why_not(kind):
        return None
    return HWAccel(kind, allow_software_fallback=True)


@cache
def why_not(kind: str) -> str:
    """Why ``kind`` cannot decode H.264 here; empty when it can."""
    known = hwdevices_available()
    if kind not in known:
        return f"this build of FFmpeg knows only {', '.join(sorted(known))}"
    try:
        HWAccel(kind, allow_software_fallback=False).create(av.Codec("h264", "r"))
    except NotImplementedError:
        return "this build of FFmpeg cannot decode H.264 with it"
    except FFmpegError as error:
        return f"no such device, or no driver for it ({error.strerror})"
    return ""
