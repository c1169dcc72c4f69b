"""The endpoints of corrections by people: merge, split, move, name and undo."""

import time
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Path, Query, Request
from fastapi.responses import JSONResponse

from pipeline.api.recent_people import RecentRows
from pipeline.api.schemas import (
    Conflict,
    CorrectionAnswer,
    CorrectionsAnswer,
    LinkAnswer,
    LinksAnswer,
    NamesAnswer,
    Problem,
    RunnerUp,
)
from pipeline.api.shown import ShownSite
from pipeline.corrections.check import CorrectionError
from pipeline.corrections.finished import correct_finished
from pipeline.corrections.known import KnownPeople, Recent
from pipeline.corrections.live import correct_live
from pipeline.run_directory.corrections import names_in, read_corrections
from pipeline.run_directory.progress import read_progress
from trackers.association.corrections import Correction, undone

_MOST_ID = 2**63 - 1

_GlobalId = Annotated[int, Path(ge=1, le=_MOST_ID)]
_After = Annotated[int, Query(ge=0, le=_MOST_ID, description="Only corrections after this number.")]

_REFUSED: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "This cannot be: the reason says what was expected."},
    403: {"model": Problem, "description": "Only an editor may, and from a page of this server."},
    404: {"model": Problem, "description": "Unknown, or the API has no run directory."},
    409: {"model": Conflict, "description": "Something has happened to these people meanwhile."},
}


@dataclass(frozen=True, slots=True)
class CorrectionRequest:
    """What to correct; ``seen`` is the last correction that the editor knows.

    - merge: ``global_id`` is the same person as ``into``; with ``anyway`` although both were seen
      in one camera at one time
    - split: what ``global_id`` is from ``at`` (seconds UTC) on is a new person; only in
      ``camera_id`` if that is given
    - move: track ``track_id`` of ``camera_id`` is the person ``to``, or a new one (null); of a
      track that shows several people the part that begins ``since``
    - name: ``global_id`` is called ``name``; an empty one removes it
    - undo: take back the correction ``number``
    """

    kind: Literal["merge", "split", "move", "name", "undo"]
    seen: int | None = None
    global_id: int | None = None
    into: int | None = None
    anyway: bool = False
    at: float | None = None
    camera_id: str | None = None
    track_id: int | None = None
    since: float | None = None
    to: int | None = None
    name: str | None = None
    number: int | None = None


def add_corrections(data: APIRouter, site: ShownSite) -> None:
    """Add the endpoints of the run directory of ``site``."""

    @data.post("/corrections", status_code=201, responses=_REFUSED)
    def correct(request: Request, body: CorrectionRequest) -> CorrectionAnswer:
        """Correct who is who; only an editor may.

        A correction outranks every automatic decision, also later ones. 409 says what has happened
        to these people meanwhile, and who the person is `now`.
        """
        archive = site.archive
        if archive is None:
            raise HTTPException(404, "nothing can be corrected: start the API with --out RUN")
        wanted = _wanted(body, request.state.user.name)
        if site.bus is None or read_progress(archive.folder).finished:
            made = correct_finished(archive.folder, wanted, time.time, seen=body.seen)
        else:
            made = correct_live(
                *(site.bus, archive.folder, wanted, time.time),
                seen=body.seen,
                recent=lambda: _recent(site.recent_rows()),
            )
        return _answer(made, {})

    @data.get("/corrections")
    def corrections(after: _After = 0) -> CorrectionsAnswer:
        """All corrections, oldest first, without those of people who were forgotten."""
        history = () if site.archive is None else read_corrections(site.archive.folder).history
        undone_by = undone(history)
        return CorrectionsAnswer([_answer(c, undone_by) for c in history if c.number > after])

    @data.get("/names")
    def names() -> NamesAnswer:
        """The names that people were given, by global id."""
        return NamesAnswer({str(one): name for one, name in names_of(site).items()})

    @data.get("/identities/{global_id}/links", responses={404: _REFUSED[404]})
    def links(global_id: _GlobalId) -> LinksAnswer:
        """Why the tracks of a person are theirs: the decision on each, newest last."""
        if site.archive is None:
            raise HTTPException(404, "reasons are in the run directory: start the API with --out")
        found = KnownPeople(site.archive.folder).links_of(global_id)
        if found.is_empty():
            raise HTTPException(404, f"unknown identity {global_id}: no track of this run has it")
        return LinksAnswer([_link(row) for row in found.iter_rows(named=True)])


def names_of(site: ShownSite) -> dict[int, str]:
    """The names of people, by global id."""
    return {} if site.archive is None else names_in(site.archive.folder)


def _recent(rows: RecentRows) -> Recent:
    """What the API knows that may not be in the run directory."""
    return Recent(rows.parts, rows.tracks)


async def cannot_be_made(request: Request, error: Exception) -> JSONResponse:
    """The answer to a correction that cannot be made."""
    assert isinstance(error, CorrectionError)
    detail = " ".join(str(error).split())
    content = {"detail": detail, "now": error.now} if error.status == 409 else {"detail": detail}
    return JSONResponse(content, status_code=error.status)


def _wanted(body: CorrectionRequest, by: str) -> Correction:
    for name in ("global_id", "into", "to", "track_id", "number"):
        value = getattr(body, name)
        if value is not None and not 0 <= value <= _MOST_ID:
            raise CorrectionError(f"expected {name} of at least 0 and at most {_MOST_ID}", 400)
    return Correction(
        kind=body.kind,
        by=by,
        global_id=body.global_id,
        into=body.into,
        anyway=body.anyway,
        moment=body.at,
        camera_id=body.camera_id,
        track_id=body.track_id,
        since=body.since,
        to=body.to,
        name=body.name,
        undoes=body.number,
    )


def _answer(made: Correction, undone_by: dict[int, int]) -> CorrectionAnswer:
    return CorrectionAnswer(
        number=made.number,
        kind=made.kind,
        by=made.by,
        at=made.at,
        text=made.text,
        undone_by=undone_by.get(made.number),
        global_ids=sorted(made.people),
        global_id=made.global_id,
        into=made.into,
        moment=made.moment,
        camera_id=made.camera_id,
        track_id=made.track_id,
        since=made.since,
        to=made.to,
        name=made.name,
        undoes=made.undoes,
        new_id=made.new_id,
    )


def _link(row: dict[str, Any]) -> LinkAnswer:
    columns = ("at", "camera_id", "track_id", "since", "confidence", "kind", "reason", "state")
    values = {name: row[name] for name in columns}
    others = [RunnerUp(**one) for one in row["runners_up"] or ()]
    return LinkAnswer(**{**values, "state": row["state"] or "probable"}, runners_up=others)
