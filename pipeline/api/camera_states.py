"""The cameras of a site and their states, out of what their nodes say of them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import get_args

from pipeline.api.schemas import CameraAnswer, CameraState
from pipeline.run_directory.schema import CameraRecord

#: A camera at work of which nothing is heard for so long is silent: its node may be gone.
SILENT_S = 15.0


@dataclass(frozen=True, slots=True)
class _Heard:
    camera: CameraRecord
    state: CameraState
    reason: str
    since: float | None
    # When: by our own clock that only moves forward, and in seconds UTC where that is known.
    moment: float
    at: float | None


class Cameras:
    """What was last heard of each camera; ``sources`` are those of the configuration, redacted."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self._sources = dict(sources)
        self._heard: dict[str, _Heard] = {}

    def hear(self, camera: CameraRecord, moment: float, at: float | None) -> None:
        """Take what a node says at ``at`` seconds UTC, None when nobody knows when it said so.

        ``moment`` is now, by a clock that only moves forward.
        """
        state, reason = _state_of(camera)
        known = self._heard.get(camera.camera_id)
        same = known is not None and (known.state, known.reason) == (state, reason)
        since = known.since if known is not None and same else at
        self._heard[camera.camera_id] = _Heard(camera, state, reason, since, moment, at)

    def all(self, moment: float) -> list[CameraAnswer]:
        """Every camera of the configuration, and every other that was heard of, by name."""
        return [self._answer(name, moment) for name in sorted(self._sources | self._heard)]

    def any_live(self) -> bool:
        """Whether the timestamps of a camera at work are the time of day."""
        return any(
            heard.camera.timestamp_origin in ("rtcp", "arrival")
            for heard in self._heard.values()
            if heard.camera.state == "running"
        )

    def _answer(self, camera_id: str, moment: float) -> CameraAnswer:
        heard = self._heard.get(camera_id)
        if heard is None:
            return _waiting(camera_id, self._sources[camera_id])
        camera = heard.camera
        answer = CameraAnswer(
            id=camera_id,
            state=heard.state,
            reason=heard.reason,
            since=heard.since,
            source=camera.source,
            frames=camera.frames,
            dropped=camera.dropped,
            fps=camera.fps,
            width=camera.width,
            height=camera.height,
            clock=camera.timestamp_origin,
            start=camera.start if camera.frames else None,
            last_frame=camera.end if camera.frames else None,
        )
        if camera.state == "running" and moment - heard.moment >= SILENT_S:
            reason = f"nothing was heard of it for {SILENT_S:.0f} s: is its node running?"
            return replace(answer, state="silent", reason=reason, since=heard.at)
        return answer


def _state_of(camera: CameraRecord) -> tuple[CameraState, str]:
    """A live camera at work has its state, and the reason after a colon, in ``detail``."""
    known: dict[str, CameraState] = {state: state for state in get_args(CameraState)}
    if camera.state != "running":
        return known.get(camera.state, "partial"), camera.detail
    state, _, reason = camera.detail.partition(": ")
    if state in known:
        return known[state], reason
    return "running", camera.detail


def _waiting(camera_id: str, source: str) -> CameraAnswer:
    return CameraAnswer(
        id=camera_id,
        state="waiting",
        reason="nothing was heard of it yet",
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
