"""The cameras of a site and their states, as reported by their nodes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import get_args

from pipeline.api.schemas import CameraAnswer, CameraState
from pipeline.run_directory.schema import CameraRecord

#: A running camera without messages for this long is silent: its node may have stopped.
SILENT_S = 15.0


@dataclass(frozen=True, slots=True)
class _LastState:
    camera: CameraRecord
    state: CameraState
    reason: str
    since: float | None
    # Time of the report: monotonic seconds, and seconds UTC where known.
    received_at: float
    at: float | None


class Cameras:
    """The last reported state of each camera; ``sources`` are the redacted configured sources."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self._sources = dict(sources)
        self._states: dict[str, _LastState] = {}

    def update(self, camera: CameraRecord, now: float, at: float | None) -> None:
        """Update a camera as reported at ``at``, seconds UTC, None when that time is unknown.

        ``now`` is the current time in monotonic seconds.
        """
        state, reason = _state_of(camera)
        known = self._states.get(camera.camera_id)
        same = known is not None and (known.state, known.reason) == (state, reason)
        since = known.since if known is not None and same else at
        self._states[camera.camera_id] = _LastState(camera, state, reason, since, now, at)

    def all(self, now: float) -> list[CameraAnswer]:
        """All configured and all reported cameras, by name."""
        return [self._answer(name, now) for name in sorted(self._sources | self._states)]

    def any_live(self) -> bool:
        """Whether any running camera has wall-clock timestamps."""
        return any(
            last.camera.timestamp_origin in ("rtcp", "arrival")
            for last in self._states.values()
            if last.camera.state == "running"
        )

    def _answer(self, camera_id: str, now: float) -> CameraAnswer:
        last = self._states.get(camera_id)
        if last is None:
            return _waiting(camera_id, self._sources[camera_id])
        camera = last.camera
        answer = CameraAnswer(
            id=camera_id,
            state=last.state,
            reason=last.reason,
            since=last.since,
            source=camera.source,
            frames=camera.frames,
            dropped=camera.dropped,
            fps=camera.fps,
            width=camera.width,
            height=camera.height,
            clock=camera.timestamp_origin,
            start=camera.start if camera.frames else None,
            last_frame=camera.end if camera.frames else None,
            followed_fps=camera.followed_fps or None,
            delay_s=camera.delay_s if camera.followed_fps else None,
            overloaded=camera.overloaded,
        )
        if camera.state == "running" and now - last.received_at >= SILENT_S:
            reason = f"no message for {SILENT_S:.0f} s: is its node running, and not overloaded?"
            return replace(answer, state="silent", reason=reason, since=last.at)
        return answer


def _state_of(camera: CameraRecord) -> tuple[CameraState, str]:
    """State and reason; a running live camera has both in ``detail``, separated by a colon."""
    known: dict[str, CameraState] = {state: state for state in get_args(CameraState)}
    if camera.state != "running":
        return known.get(camera.state, "partial"), camera.detail
    state, _, reason = camera.detail.partition(": ")
    if state in known:
        return known[state], reason
    if camera.overloaded:
        return "running", "overloaded: its node leaves out most of its frames"
    return "running", camera.detail


def _waiting(camera_id: str, source: str) -> CameraAnswer:
    return CameraAnswer(
        id=camera_id,
        state="waiting",
        reason="no message from its node yet",
        since=None,
        source=source,
        frames=0,
        dropped=0,
        fps=0.0,
        width=0,
        height=0,
        clock="",
        start=None,
        last_frame=None,
    )
