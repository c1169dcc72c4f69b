"""Zones and lines of a running site: who enters, leaves and crosses, as events.

Rows come before it is known who a track shows, so what they say waits for the identity. The moment
in an event is exact; the event itself comes seconds later.
"""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from pipeline.analytics.crossings import crossings_of, last_sides, sides_of
from pipeline.analytics.places import Places, in_zone
from trackers.tracklet import TrackletKey

Event = dict[str, object]
#: The global id that a track has at a moment, seconds UTC; None while it is unknown.
PersonAt = Callable[[TrackletKey, float], int | None]

# As the default of `fusetrack stats`.
_GAP_S = 2.0
# Cameras report at different times: a person is gone only when nothing came for this long.
_GONE_S = 5.0


@dataclass(slots=True)
class _Presence:
    """A track in a zone, or a person: from ``start`` to ``end``, seconds UTC."""

    start: float
    end: float
    camera_id: str


@dataclass(frozen=True, slots=True)
class _Crossing:
    line: str
    direction: str
    key: TrackletKey
    timestamp: float


class LivePlaces:
    """The people in each zone of ``places`` now, and the crossings of each line so far.

    What is not known to be of a person after ``keep_s`` is dropped.
    """

    def __init__(self, places: Places, keep_s: float) -> None:
        self.crossings: Counter[tuple[str, str]] = Counter()
        self._places = places
        self._keep_s = keep_s
        self._present: dict[tuple[str, TrackletKey], list[_Presence]] = {}
        self._crossed: list[_Crossing] = []
        self._sides: dict[tuple[str, str], pl.DataFrame] = {}
        self._stays: dict[tuple[str, int], _Presence] = {}
        self._left: dict[tuple[str, int], float] = {}
        self._counted: dict[tuple[str, str, int], list[float]] = {}

    def reset_tracks(self) -> None:
        """Forget what waits, because the same rows come again; no event is repeated."""
        self._present, self._crossed, self._sides = {}, [], {}

    def add(self, camera_id: str, rows: pl.DataFrame) -> None:
        """Add observations of a camera, with the columns of `run_directory.schema.OBSERVATIONS`."""
        for name, zone in self._places.zones_seen_by(camera_id):
            spans = (
                in_zone(zone, rows)
                .group_by("track_id")
                .agg(first=pl.col("timestamp").min(), last=pl.col("timestamp").max())
            )
            for track_id, first, last in spans.sort("track_id").iter_rows():
                waiting = self._present.setdefault((name, (camera_id, track_id)), [])
                if waiting and first - waiting[-1].end <= _GAP_S:
                    waiting[-1].end = max(waiting[-1].end, last)
                else:
                    waiting.append(_Presence(first, last, camera_id))
        # The sides of a line are those of tracks here: who they show may not be known yet.
        tracks = rows.with_columns(camera_id=pl.lit(camera_id), global_id="track_id")
        for name, line in self._places.lines_seen_by(camera_id):
            known = self._sides.get((name, camera_id))
            parts = [*([] if known is None else [known]), sides_of(line, tracks, _GAP_S)]
            self._sides[name, camera_id] = last_sides(parts, _GAP_S)
            for _, direction, track_id, _, at in crossings_of(
                name, line, parts, _GAP_S
            ).iter_rows():
                self._crossed.append(_Crossing(name, direction, (camera_id, track_id), at))

    def take_events(self, person_at: PersonAt, now: float) -> list[Event]:
        """The events of people who are known by now (seconds UTC of event time), oldest first."""
        events = [*self._entered(person_at, now), *self._crossings(person_at, now)]
        for (zone, who), stay in list(self._stays.items()):
            if now - stay.end > _GONE_S:
                events.append(self._leave(zone, who, stay))
                del self._stays[zone, who]
        self._expire(now)
        return sorted(events, key=lambda event: float(str(event["at"])))

    def people_in(self) -> dict[str, list[int]]:
        """The global ids of the people in each zone, sorted."""
        found: dict[str, list[int]] = {name: [] for name in self._places.zones}
        for zone, who in sorted(self._stays):
            found[zone].append(who)
        return found

    def line_directions(self) -> list[tuple[str, str]]:
        """Every line with each of its directions."""
        lines = self._places.lines.items()
        return [(name, to) for name, line in lines for to in (line.to_right, line.to_left)]

    def forget(self, global_id: int) -> None:
        """Forget a person; crossings stay counted."""
        self._stays = {key: stay for key, stay in self._stays.items() if key[1] != global_id}
        self._left = {key: at for key, at in self._left.items() if key[1] != global_id}
        self._counted = {key: ats for key, ats in self._counted.items() if key[2] != global_id}

    def _entered(self, person_at: PersonAt, now: float) -> list[Event]:
        events: list[Event] = []
        known: list[tuple[str, int, _Presence]] = []
        for (zone, key), waiting in list(self._present.items()):
            left = []
            for presence in waiting:
                who = person_at(key, presence.end)
                if who is not None:
                    known.append((zone, who, presence))
                elif now - presence.end < self._keep_s:
                    left.append(presence)
            self._present[zone, key] = left
            if not left:
                del self._present[zone, key]
        for zone, who, presence in sorted(known, key=lambda one: one[2].start):
            events += self._seen(zone, who, presence)
        return events

    def _seen(self, zone: str, who: int, presence: _Presence) -> list[Event]:
        """The events of a person seen in a zone; none where the stay only goes on."""
        stay = self._stays.get((zone, who))
        if stay is not None and presence.start - stay.end <= _GAP_S:
            before, stay.end = stay.end, max(stay.end, presence.end)
            return self._dwells(zone, who, stay, before)
        # Reported before the rows came again.
        if presence.end <= self._left.get((zone, who), -math.inf):
            return []
        events = [] if stay is None else [self._leave(zone, who, stay)]
        self._stays[zone, who] = presence
        entered = {"global_id": who, "camera_id": presence.camera_id, "at": presence.start}
        events.append({"type": "enter", "zone": zone, **entered})
        return [*events, *self._dwells(zone, who, presence, presence.start)]

    def _dwells(self, zone: str, who: int, stay: _Presence, before: float) -> list[Event]:
        """The event of a stay that becomes long enough, after it had lasted until ``before``."""
        dwell_s = self._places.zones[zone].dwell_s
        if dwell_s is None or not before - stay.start < dwell_s <= stay.end - stay.start:
            return []
        at = stay.start + dwell_s
        dwelt = {"global_id": who, "camera_id": stay.camera_id, "at": at, "seconds": dwell_s}
        return [{"type": "dwell", "zone": zone, **dwelt}]

    def _leave(self, zone: str, who: int, stay: _Presence) -> Event:
        self._left[zone, who] = stay.end
        seconds = round(stay.end - stay.start, 3)
        return {"type": "leave", "zone": zone, "global_id": who, "at": stay.end, "seconds": seconds}

    def _crossings(self, person_at: PersonAt, now: float) -> list[Event]:
        events, waiting = list[Event](), list[_Crossing]()
        for crossing in sorted(self._crossed, key=lambda one: one.timestamp):
            who = person_at(crossing.key, crossing.timestamp)
            if who is None:
                if now - crossing.timestamp < self._keep_s:
                    waiting.append(crossing)
            elif self._is_new(crossing, who):
                self.crossings[crossing.line, crossing.direction] += 1
                events.append(_crossed(crossing, who))
        self._crossed = waiting
        return events

    def _is_new(self, crossing: _Crossing, who: int) -> bool:
        """Whether it was not reported before: by another camera, or before the rows came again."""
        times = self._counted.setdefault((crossing.line, crossing.direction, who), [])
        near_s = _GAP_S if self._places.lines[crossing.line].camera is None else 0.0
        if any(abs(crossing.timestamp - time) <= near_s for time in times):
            return False
        times.append(crossing.timestamp)
        return True

    def _expire(self, now: float) -> None:
        old = now - self._keep_s
        self._left = {key: at for key, at in self._left.items() if at >= old}
        kept = {key: [at for at in ats if at >= old] for key, ats in self._counted.items()}
        self._counted = {key: ats for key, ats in kept.items() if ats}


def _crossed(crossing: _Crossing, who: int) -> Event:
    return {
        "type": "cross",
        "line": crossing.line,
        "direction": crossing.direction,
        "global_id": who,
        "camera_id": crossing.key[0],
        "at": crossing.timestamp,
    }
