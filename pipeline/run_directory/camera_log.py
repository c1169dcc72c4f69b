"""RUN/camera_states.jsonl: each change of the state of a camera, as its recorder learned of it."""

from pathlib import Path

import msgspec

from pipeline.run_directory.durable import append_line, read_lines
from pipeline.run_directory.schema import CameraRecord

_NAME = "camera_states.jsonl"
_LIVE = ("rtcp", "arrival")
_RUNNING = "running"


class CameraChange(msgspec.Struct, frozen=True):
    """A camera has another ``state`` since ``at``, seconds UTC, for a ``reason``, if any."""

    camera_id: str
    state: str
    reason: str
    at: float


def change_of(
    before: CameraRecord | None, camera: CameraRecord, sent: float
) -> CameraChange | None:
    """What ``camera`` changes after ``before``, its last record; None where the state is the same.

    It was sent at ``sent``, seconds UTC on the wall; that of a recording is as of its last frame.
    """
    state, reason = _state_of(camera)
    if before is not None and _state_of(before)[0] == state:
        return None
    at = sent if camera.timestamp_origin in _LIVE else camera.end
    return CameraChange(camera.camera_id, state, reason, at)


def _state_of(camera: CameraRecord) -> tuple[str, str]:
    """State and reason; a live camera without frames has both in ``detail``."""
    if camera.state != _RUNNING:
        return camera.state, camera.detail
    state, _, reason = camera.detail.partition(": ")
    return state or _RUNNING, reason


def append_change(folder: Path, change: CameraChange) -> None:
    """Add a change to the log of the run directory ``folder``. Raises OSError."""
    append_line(folder / _NAME, msgspec.json.encode(change).decode())


def read_changes(folder: Path) -> list[CameraChange]:
    """All changes in the run directory ``folder``, by time; each once, also after a crash."""
    found = dict.fromkeys(read_lines(folder / _NAME, CameraChange))
    return sorted(found, key=lambda change: change.at)
