"""The endpoints of the review: what happened, newest first, and who has looked at it."""

import math
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Path, Query, Request

from pipeline.analytics.review import ReviewEvent, of_people_and_cameras, of_places
from pipeline.api.archive import Archive
from pipeline.api.moments import Spans, is_kept, kept_spans
from pipeline.api.schemas import EventAnswer, EventsAnswer, MarkAnswer, MarkRequest, Problem
from pipeline.api.shown import ShownSite
from pipeline.config.schema import SiteConfig
from pipeline.errors import unknown_name, writing
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.reviewed import ReviewMark, append_mark, read_marks

# Places are read in spans from the newest back, each four times as long as the last where little
# was found, and not further than this at once.
_FIRST_S, _LONGEST_S, _MOST_S = 900.0, 4 * 3600.0, 24 * 3600.0
_OF_PLACES = {"enter", "leave", "dwell", "line"}

Kind = Literal["enter", "leave", "dwell", "line", "new person", "camera lost", "camera back"]
_Kinds = Annotated[list[Kind] | None, Query(description="Only events of these kinds.")]
_Cameras = Annotated[list[str] | None, Query(description="Only events of these cameras.")]
_Reviewed = Annotated[bool | None, Query(description="Only those that were reviewed, or were not.")]
_Moment = Annotated[float | None, Query(allow_inf_nan=False, description="Seconds UTC.")]
_Before = Annotated[
    float | None, Query(allow_inf_nan=False, description="`next` of the page before, seconds UTC.")
]
_Count = Annotated[int, Query(ge=1, le=1000, description="Approximate number of events.")]
_EventId = Annotated[str, Path(pattern="^[0-9a-f]{18}$", description="The id of an event.")]
_NO_RUN: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "The API has no run directory of the current run."}
}

_NO_CAMERA: dict[int | str, dict[str, Any]] = {
    404: {
        "model": Problem,
        "description": "No run directory of the current run, or no such camera.",
    }
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events are requested, from ``since`` to before ``until``, seconds UTC; None: all."""

    since: float = -math.inf
    until: float = math.inf
    kinds: Collection[str] | None = None
    cameras: Collection[str] | None = None
    reviewed: bool | None = None

    def has(self, event: ReviewEvent, marks: dict[str, ReviewMark]) -> bool:
        """Whether the event is requested."""
        return (
            self.since <= event.at < self.until
            and (self.kinds is None or event.kind in self.kinds)
            and (self.cameras is None or event.camera_id in self.cameras)
            and (self.reviewed is None or self.reviewed == _is_reviewed(event, marks))
        )

    def places(self, config: SiteConfig) -> SiteConfig:
        """``config`` with only the zones and lines that may have such events."""
        kinds = _OF_PLACES if self.kinds is None else set(self.kinds)
        stays = {"enter", "leave"} & kinds
        zones = {
            name: zone
            for name, zone in config.zones.items()
            if (stays or ("dwell" in kinds and zone.dwell_s is not None))
            # Who is in a zone on the ground is so in no camera.
            and (self.cameras is None or zone.camera in self.cameras)
        }
        lines = {
            name: line
            for name, line in config.lines.items()
            if "line" in kinds
            and (self.cameras is None or line.camera is None or line.camera in self.cameras)
        }
        return config.model_copy(update={"zones": zones, "lines": lines})


def _is_reviewed(event: ReviewEvent, marks: dict[str, ReviewMark]) -> bool:
    mark = marks.get(event.id) if marks else None
    return mark is not None and mark.reviewed


def add_review(data: APIRouter, site: ShownSite) -> None:
    """Add the endpoints of the run directory of ``site``."""

    @data.get("/review", responses=_NO_CAMERA)
    def review(
        since: _Moment = None,
        until: _Moment = None,
        before: _Before = None,
        kind: _Kinds = None,
        camera: _Cameras = None,
        reviewed: _Reviewed = None,
        limit: _Count = 100,
    ) -> EventsAnswer:
        """What happened, the newest first: zones, lines, dwell, new people, cameras lost and back.

        Events of one moment are never split, so there may be a few more than `limit`; there may be
        fewer with a `next` after a long time in which nothing happened.
        """
        end = min(x for x in (until, before, math.inf) if x is not None)
        wanted = Wanted(-math.inf if since is None else since, end, kind, camera, reviewed)
        archive = _archive(site)
        _check_cameras(site, camera or ())
        return events_of(site.config, archive, wanted, limit)

    @data.post("/review/{event_id}", responses=_NO_RUN)
    def mark(request: Request, event_id: _EventId, body: MarkRequest) -> MarkAnswer:
        """Mark an event as reviewed, or as not reviewed."""
        by = request.state.user.name
        found = ReviewMark(event_id, body.reviewed, by, time.time())
        folder = _archive(site).folder
        with writing(f"to {folder}"):
            append_mark(folder, found)
        return MarkAnswer(found.id, found.reviewed, found.by, found.at)


def _check_cameras(site: ShownSite, names: Collection[str]) -> None:
    known = {camera.id for camera in site.cameras()}
    for name in names:
        if name not in known:
            raise HTTPException(404, str(unknown_name("camera", name, known)))


def _archive(site: ShownSite) -> Archive:
    archive = site.archive
    if archive is None or not (archive.folder / "config.yaml").is_file():
        raise HTTPException(404, "nothing can be reviewed: start the API with --out RUN")
    return archive


def events_of(config: SiteConfig, archive: Archive, wanted: Wanted, limit: int) -> EventsAnswer:
    """The ``wanted`` events of a run, about ``limit``, the newest first."""
    run = RunDirectory(archive.folder, archive.selection)
    marks = read_marks(run.path)
    found, reached = _found(config, run, wanted, marks, limit)
    shown = sorted(found, key=lambda event: (-event.at, event.id))
    if len(shown) > limit:
        # The page ends with a whole moment.
        last = shown[limit - 1].at
        later = [event for event in shown if event.at >= last]
        reached = last if len(later) < len(shown) else reached
        shown = later
    spans = kept_spans(archive)
    pictures = config.recording.thumbnails
    answers = [_answer(event, marks, spans, pictures=pictures) for event in shown]
    return EventsAnswer(answers, reached if math.isfinite(reached) else None)


def _found(
    config: SiteConfig,
    run: RunDirectory,
    wanted: Wanted,
    marks: dict[str, ReviewMark],
    limit: int,
) -> tuple[list[ReviewEvent], float]:
    """More than ``limit`` events, and the moment from which they are whole: -inf for all."""
    first, last = run.observed_span()
    low = max(wanted.since, first)
    high = min(wanted.until, math.nextafter(last, math.inf))
    config = wanted.places(config)
    none_reviewed = wanted.reviewed and not any(mark.reviewed for mark in marks.values())
    if none_reviewed or not (config.zones or config.lines):
        high = low
    others = [event for event in of_people_and_cameras(run) if wanted.has(event, marks)]
    places: list[ReviewEvent] = []
    span, oldest = _FIRST_S, high - _MOST_S
    while high > low:
        start = max(high - span, low)
        read = of_places(run, config, start, high)
        places += [event for event in read if wanted.has(event, marks)]
        high, span = start, min(4 * span, _LONGEST_S)
        later = [event for event in others if event.at >= high]
        if high > low and (len(places) + len(later) > limit or high <= oldest):
            return [*places, *later], high
    return [*places, *others], -math.inf


def _answer(
    event: ReviewEvent, marks: dict[str, ReviewMark], spans: Spans, *, pictures: bool
) -> EventAnswer:
    mark = marks.get(event.id)
    return EventAnswer(
        id=event.id,
        kind=event.kind,
        at=event.at,
        camera_id=event.camera_id,
        global_id=event.global_id,
        place=event.place,
        text=event.text,
        reviewed=mark is not None and mark.reviewed,
        by=None if mark is None else mark.by,
        reviewed_at=None if mark is None else mark.at,
        picture=_picture(event) if pictures else None,
        frame=_frame(event, spans),
    )


def _picture(event: ReviewEvent) -> str | None:
    if event.global_id is None:
        return None
    return f"/identities/{event.global_id}/thumbnail.jpg?{_asked(event)}"


def _frame(event: ReviewEvent, spans: Spans) -> str | None:
    if not is_kept(spans, event.camera_id, event.at):
        return None
    if event.global_id is None:
        return f"/cameras/{event.camera_id}/moment.jpg?{urlencode({'at': event.at})}"
    return f"/identities/{event.global_id}/moment.jpg?{_asked(event)}"


def _asked(event: ReviewEvent) -> str:
    asked = {"at": event.at} | ({"camera": event.camera_id} if event.camera_id else {})
    return urlencode(asked)
