"""The association of a site with calibrated cameras, whose people are tracked on the ground.

The tracks of calibrated cameras become walks on the ground; a walk is associated like the tracklet
of one camera, and a decision about it is one about every part of a track that it consists of. Other
cameras are associated as without calibration.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from trackers.association.association import Association, Decision, Rules
from trackers.association.corrections import Change, Correction, Part
from trackers.association.decision import PROBABLE, Clarity
from trackers.ground.following import Following, Point
from trackers.ground.view import View
from trackers.ground.walk_log import (
    Piece,
    WalkLog,
    following_memory,
    log_memory,
    remember_following,
    remembered_log,
)
from trackers.tracklet import GROUND, Tracklet, TrackletKey

# Observations within this time are of one moment.
_MOMENT_S = 0.1
_ROUNDING = 1e-6
# Later than any moment, and still a number of moments that is exact.
_NEVER = 1e14


class GroundAssociation(Association):
    """An `Association` that follows people through the cameras of ``views`` on the ground."""

    def __init__(self, rules: Rules, views: Mapping[str, View]) -> None:
        super().__init__(rules)
        self.views = dict(views)
        self.following = Following(self.views)
        self.log = WalkLog()
        self._changed: set[TrackletKey] = set()
        self._tracklets: dict[TrackletKey, Tracklet] = {}
        self._moments: dict[int, dict[TrackletKey, Point]] = {}
        # The moments before it are complete.
        self._next_moment = _moment(-_NEVER)

    def set_view(self, camera_id: str, view: View) -> None:
        """Set the view of the ground of a camera, from now on."""
        self.views[camera_id] = view

    def tracklet(self, key: TrackletKey) -> Tracklet | None:
        """The last known revision of a track or a walk, None when it is unknown or forgotten."""
        return self._tracklets.get(key) or super().tracklet(key)

    def observe(self, tracklet: Tracklet) -> None:
        """Add a revision of a tracklet; one that is not newer than the last changes nothing."""
        if not self._is_on_the_ground(tracklet):
            super().observe(tracklet)
            return
        known = self._tracklets.get(tracklet.key)
        if known is not None and known.revision >= tracklet.revision:
            return
        self.has_embeddings = self.has_embeddings or len(tracklet.exemplars) > 0
        self._tracklets[tracklet.key] = tracklet
        self._add_points(tracklet, -math.inf if known is None else known.path[-1, 0])

    def restore(
        self,
        tracklet: Tracklet,
        global_id: int | None,
        state: str = PROBABLE,
        clarity: Clarity | None = None,
    ) -> None:
        """Restore a tracklet or a walk as it was before a restart, after `following` and `log`."""
        if not self._is_on_the_ground(tracklet):
            super().restore(tracklet, global_id, state, clarity)
            return
        self.has_embeddings = self.has_embeddings or len(tracklet.exemplars) > 0
        self._tracklets[tracklet.key] = tracklet
        self._add_points(tracklet, -math.inf)

    def memory(self) -> dict[str, Any]:
        """The same, with the walkers and the parts of tracks that show them."""
        return {
            **super().memory(),
            "next_moment": self._next_moment,
            "following": following_memory(self.following),
            "log": log_memory(self.log),
        }

    def remember(self, memory: dict[str, Any]) -> None:
        """Restore what `memory` returned, before any tracklet is restored."""
        super().remember(memory)
        self._next_moment = memory["next_moment"]
        remember_following(self.following, memory["following"])
        self.log = remembered_log(memory["log"])

    def pop_changed(self) -> list[TrackletKey]:
        """The walks that have changed, or were decided on, since the last call."""
        changed, self._changed = sorted(self._changed), set()
        return changed

    def decide(self, at: float) -> list[Decision]:
        """Decide on every tracklet and walk that has evidence at ``at``, seconds UTC."""
        self._follow(at)
        return self._automatic([*self._spread(super().decide(at)), *self._of_new_pieces()])

    def finish(self) -> list[Decision]:
        """Decide on all that still waits, then merge the identities that were one person."""
        self._follow(math.inf)
        for walk in self.following.walks:
            self._end(walk.number, tentative=walk.tentative)
        return self._automatic([*self._of_new_pieces(), *self._spread(super().finish())])

    def forget(self, at: float) -> list[TrackletKey]:
        """Drop what is not needed any more; returns the tracks and walks."""
        gone = super().forget(at)
        for camera_id, number in gone:
            if camera_id == GROUND:
                self.log.drop(number)
        oldest = at - self.rules.gallery_s
        old = [t.key for t in self._tracklets.values() if t.end < oldest]
        old = [key for key in old if key not in self.log.shown]
        for key in old:
            del self._tracklets[key]
        self.people.fixed.drop(old)
        return [*gone, *old]

    def remove(self, global_id: int) -> list[TrackletKey]:
        """Drop a person; returns their tracks, walks, and the tracks that these are made of.

        The exemplars of a track that also shows others are dropped until its next revision.
        """
        gone = super().remove(global_id)
        walks = {number for camera_id, number in gone if camera_id == GROUND}
        tracks = {piece.key for number in walks for piece in self.log.walks[number].pieces}
        for number in walks:
            self.log.drop(number)
        self.following.remove(walks)
        for key in tracks:
            self._tracklets.pop(key, None)
        self.people.fixed.drop(tracks)
        return [*gone, *sorted(tracks)]

    def _decided_parts(self) -> list[Part]:
        parts = super()._decided_parts()
        for number, walk in sorted(self.log.walks.items()):
            owner = self.owner((GROUND, number))
            if owner is None:
                continue
            for piece in walk.pieces[: walk.decided]:
                end = self._end_of(piece)
                parts.append(Part(*piece.key, _since(piece), piece.since, end, owner))
        return parts

    def _end_of(self, piece: Piece) -> float:
        """When a piece was seen last, seconds UTC."""
        tracklet = self._tracklets.get(piece.key)
        end = piece.since if tracklet is None else tracklet.end
        return min([end, *(at for at, _ in self.log.shown[piece.key] if at > piece.since)])

    def _shown_by(self, change: Change, correction: Correction) -> list[TrackletKey]:
        """The tracklet of which a part is changed, or the walk, unless only that part moves."""
        if correction.kind == "move" or correction.camera_id is not None:
            return super()._shown_by(change, correction)
        at = -math.inf if change.since is None else change.since
        shown = self.log.shown.get(change.key[:2], [])
        walks = [number for since, number in shown if since <= at] or [n for _, n in shown[:1]]
        return [*super()._shown_by(change, correction), *((GROUND, n) for n in walks[-1:])]

    def _until(self, key: TrackletKey, since: float | None) -> float:
        shown = self.log.shown.get(key, [])
        first = -math.inf if since is None else since
        # A track begins with its first walk.
        later = [at for at, _ in shown[since is None :] if at > first]
        return min(later, default=math.inf)

    def _mark_changed(self, keys: Iterable[TrackletKey]) -> None:
        self._changed.update(key for key in keys if key[0] == GROUND)

    def _is_on_the_ground(self, tracklet: Tracklet) -> bool:
        # A camera may have been calibrated only after the tracklet.
        return tracklet.camera_id in self.views and tracklet.ground is not None

    def _add_points(self, tracklet: Tracklet, after: float) -> None:
        """Add the points later than ``after``, of moments that are not processed yet."""
        assert tracklet.ground is not None
        first = np.searchsorted(tracklet.path[:, 0], after, side="right")
        for row, (x, y) in zip(tracklet.path[first:], tracklet.ground[first:], strict=True):
            moment = _moment(row[0])
            if moment < self._next_moment or not math.isfinite(x + y):
                continue
            point = Point(
                time=float(row[0]),
                track_id=tracklet.track_id,
                across=float(row[1]),
                foot=float(row[2]),
                top=float(row[2] - row[3]),
                x=float(x),
                y=float(y),
                score=float(row[4]) if len(row) > 4 else 1.0,
                unsure=int(row[5]) if len(row) > 5 else 0,
            )
            self._moments.setdefault(moment, {})[tracklet.key] = point

    def _follow(self, at: float) -> None:
        """Process all moments that are complete at ``at``."""
        seen: set[int] = set()
        gone: list[tuple[int, bool]] = []
        self._next_moment = max(self._next_moment, _moment(min(max(at, -_NEVER), _NEVER)))
        for moment in sorted(m for m in self._moments if m < self._next_moment):
            points = self._moments.pop(moment)
            cameras: dict[str, list[Point]] = {}
            for (camera_id, _), point in sorted(points.items()):
                cameras.setdefault(camera_id, []).append(point)
            time = sum(point.time for point in points.values()) / len(points)
            step = self.following.step(time, cameras)
            for a, b, since in step.exchanges:
                before_all = _moment(since) * _MOMENT_S - _ROUNDING
                self.log.exchange(a, b, before_all, self._tracklets)
                seen |= {a, b}
            self.log.add(step, {key: point.time for key, point in points.items()})
            seen |= {*step.seen.values()}
            gone += [(walk.number, walk.tentative) for walk in step.gone]
        ended = self.following.end_lost(self._next_moment * _MOMENT_S)
        gone += [(walk.number, walk.tentative) for walk in ended]
        over_now = {number for number, _ in gone}
        certain = {walk.number for walk in self.following.walks if not walk.tentative}
        for number in sorted((seen & certain) - over_now):
            self._observe_walk(number, closed=False)
        for number, tentative in sorted(gone):
            self._end(number, tentative=tentative)

    def _end(self, number: int, *, tentative: bool) -> None:
        if tentative:
            self.log.drop(number)
        else:
            self._observe_walk(number, closed=True)
            # The tracklet contains it now.
            self.log.walks[number].path.clear()

    def _observe_walk(self, number: int, *, closed: bool) -> None:
        super().observe(self.log.tracklet(number, self._tracklets, closed=closed))
        self._changed.add((GROUND, number))

    def _spread(self, decisions: Iterable[Decision]) -> list[Decision]:
        """Decisions on walks as decisions on all of their pieces."""
        spread: list[Decision] = []
        for decision in decisions:
            camera_id, number = decision.key
            if camera_id != GROUND:
                spread.append(decision)
                continue
            self._changed.add(decision.key)
            walk = self.log.walks[number]
            walk.confidence, walk.decided = decision.confidence, len(walk.pieces)
            spread += [replace(decision, key=p.key, since=_since(p)) for p in walk.pieces]
        return spread

    def _of_new_pieces(self) -> list[Decision]:
        """Decisions on new parts of tracks that show a walker with a global id."""
        decisions = []
        for number, walk in sorted(self.log.walks.items()):
            owner = self.owner((GROUND, number))
            if owner is None or walk.decided == len(walk.pieces):
                continue
            for piece in walk.pieces[walk.decided :]:
                kind = "assigned" if piece.first else "split"
                if piece.moved:
                    kind = "reassigned"
                reason = "followed on the ground"
                state = self.state((GROUND, number))
                decisions.append(
                    Decision(piece.key, owner, walk.confidence, kind, reason, _since(piece), state)
                )
            walk.decided = len(walk.pieces)
        return decisions


def _since(piece: Piece) -> float | None:
    return None if piece.first else piece.since


def _moment(time: float) -> int:
    return math.floor(time / _MOMENT_S + _ROUNDING)
