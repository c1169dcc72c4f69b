"""The events of a run for review: who entered, left, stayed and crossed, who is new, and
which cameras were lost.
"""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import polars as pl

from pipeline.analytics.crossings import crossings_of, sides_of
from pipeline.analytics.places import ZONE, Places
from pipeline.analytics.stays import joined, stays_in
from pipeline.config.schema import SiteConfig
from pipeline.run_directory.camera_log import CameraChange, read_changes
from pipeline.run_directory.reader import RunDirectory

#: The kinds of events.
KINDS = ("enter", "leave", "dwell", "line", "new person", "camera lost", "camera back")
# As the default of `fusetrack stats`.
_GAP_S = 2.0
# This much before the span is read too, to know since when a person has been in a zone.
_BEFORE_S = 600.0
_AWAY = ("lost", "stalled", "partial", "removed")


@dataclass(frozen=True, slots=True)
class ReviewEvent:
    """Something of one of `KINDS` ``at`` a moment, seconds UTC; ``text`` says what.

    ``place`` is the zone or line. Unknown values are None.
    """

    kind: str
    at: float
    text: str
    camera_id: str | None = None
    global_id: int | None = None
    place: str | None = None

    @property
    def id(self) -> str:
        """A name that stays, as long as the event is of the same person; it does not tell whom."""
        # When a person was seen first becomes known only as the track ends.
        at = "" if self.kind == "new person" else f"{self.at:.3f}"
        parts = (self.kind, at, self.camera_id, self.global_id, self.place)
        return hashlib.blake2b(repr(parts).encode(), digest_size=9).hexdigest()


def of_people_and_cameras(run: RunDirectory) -> list[ReviewEvent]:
    """Who was seen for the first time, and which cameras were lost and came back, in all of it."""
    return [*_new_people(run), *_of_cameras(run)]


def of_places(
    run: RunDirectory, config: SiteConfig, since: float, until: float
) -> list[ReviewEvent]:
    """Who entered, left, stayed in and crossed the zones and lines of ``config`` from ``since`` to
    before ``until``, seconds UTC.
    """
    found = _of_places(run, config, since, until)
    return [event for event in found if since <= event.at < until]


def _of_places(
    run: RunDirectory, config: SiteConfig, since: float, until: float
) -> Iterator[ReviewEvent]:
    places = Places(config.zones, config.lines)
    longest = max((zone.dwell_s or 0.0 for zone in config.zones.values()), default=0.0)
    first, last = run.selection.clipped(since - max(_BEFORE_S, longest), until + _GAP_S)
    if first >= last or not (places.zones or places.lines):
        return
    part = RunDirectory(run.path, replace(run.selection, since=first, until=last))
    stays: list[pl.DataFrame] = []
    sides: dict[str, list[pl.DataFrame]] = {name: [] for name in places.lines}
    for camera_id in part.observed():
        if not places.any_seen_by(camera_id):
            continue
        for rows in part.chunks(camera_id):
            people = rows.filter(pl.col("global_id").is_not_null())
            stays.append(stays_in(people, camera_id, places, _GAP_S))
            for name, line in places.lines_seen_by(camera_id):
                sides[name].append(sides_of(line, people, _GAP_S))
    ends = run.selection.clipped(*part.observed_span())[1]
    for name, who, start, end in _zone_stays(stays).iter_rows():
        yield from _of_stay(config, name, who, (start, end), (first, min(last, ends)))
    for name, line in places.lines.items():
        for _, way, who, camera_id, at in crossings_of(name, line, sides[name], _GAP_S).iter_rows():
            text = f"person {who} crosses {name}: {way}"
            yield ReviewEvent("line", at, text, camera_id, who, name)


def _zone_stays(stays: list[pl.DataFrame]) -> pl.DataFrame:
    return joined(stays, _GAP_S).filter(kind=ZONE).select("place", "global_id", "start", "end")


def _of_stay(
    config: SiteConfig, zone: str, who: int, stay: tuple[float, float], read: tuple[float, float]
) -> Iterator[ReviewEvent]:
    """The events of a stay in a zone, of which only a span ``read`` is known."""
    (start, end), (first, last) = stay, read
    camera_id, dwell_s = config.zones[zone].camera, config.zones[zone].dwell_s
    began = start - first > _GAP_S or first == -math.inf
    yield ReviewEvent("enter", start, f"person {who} enters {zone}", camera_id, who, zone)
    if dwell_s is not None and began and end - start >= dwell_s:
        text = f"person {who} has been in {zone} for {dwell_s:g} s"
        yield ReviewEvent("dwell", start + dwell_s, text, camera_id, who, zone)
    # Who was there at the end has not left.
    if last - end > _GAP_S:
        after = f"{'' if began else 'more than '}{end - start:.0f} s"
        text = f"person {who} leaves {zone} after {after}"
        yield ReviewEvent("leave", end, text, camera_id, who, zone)


def _new_people(run: RunDirectory) -> Iterator[ReviewEvent]:
    """When each person who is known now was seen first."""
    parts = run.identities().select("camera_id", "track_id", "global_id", "since", "at")
    starts = run.tracklets(("camera_id", "track_id", "start"))
    track = ["camera_id", "track_id"]
    # An open track has no row yet.
    known = pl.coalesce("start", pl.when(pl.col("since").is_finite()).then("since"), "at")
    seen = parts.join(starts, on=track, how="left").with_columns(
        at=pl.max_horizontal(known, "since")
    )
    first = seen.sort("at", *track).unique("global_id", keep="first", maintain_order=True)
    for camera_id, who, at in first.select("camera_id", "global_id", "at").iter_rows():
        text = f"person {who} is seen for the first time, by {camera_id}"
        yield ReviewEvent("new person", at, text, camera_id, who)


def _of_cameras(run: RunDirectory) -> Iterator[ReviewEvent]:
    away: set[str] = set()
    for change in read_changes(run.path):
        if not run.selection.has(change.camera_id):
            continue
        if change.state in _AWAY:
            away.add(change.camera_id)
            yield _of_camera("camera lost", change, f"is {change.state}")
        elif change.state == "running" and change.camera_id in away:
            away.remove(change.camera_id)
            yield _of_camera("camera back", change, "is back")


def _of_camera(kind: str, change: CameraChange, what: str) -> ReviewEvent:
    reason = f": {change.reason}" if change.reason else ""
    return ReviewEvent(
        kind, change.at, f"camera {change.camera_id} {what}{reason}", change.camera_id
    )
