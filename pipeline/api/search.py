"""The endpoint that finds people by a description, a picture, or both."""

import math
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, HTTPException, Query, Request

from pipeline.api.archive import Archive
from pipeline.api.schemas import FoundAnswer, Problem, SearchAnswer, SeenAnswer
from pipeline.api.shown import ShownSite
from pipeline.errors import UserError
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.selection import Selection
from pipeline.search import search as of_run
from pipeline.search.found import FoundPerson, SearchResult
from pipeline.search.networks import SearchModels
from pipeline.search.query_picture import MOST_BYTES
from pipeline.search.search_log import Asker

_Text = Annotated[
    str | None, Query(max_length=2000, description="What the person wears, in English.")
]
_Person = Annotated[
    int | None,
    Query(ge=0, le=1000, description="Which person of the picture, from the left; 0: all of it."),
]
_Cameras = Annotated[list[str] | None, Query(description="Only these cameras.")]
_Moment = Annotated[float | None, Query(allow_inf_nan=False, description="Seconds UTC.")]
_Top = Annotated[int, Query(ge=1, le=of_run.MOST_TOP, description="Maximum number of people.")]
_Threshold = Annotated[
    float, Query(gt=0, lt=1, description="Who is less likely is among the closest only.")
]

_RESPONSES: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "The request cannot be searched, or is declined."},
    404: {"model": Problem, "description": "The API has no run directory of the current run."},
    413: {"model": Problem, "description": "The picture is too large."},
}
_PICTURE: dict[str, Any] = {
    "requestBody": {
        "description": "A picture of the person, unless `text` is given alone.",
        "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
    }
}


def add_search(data: APIRouter, site: ShownSite) -> None:
    """Add the endpoints; the networks are opened with the first search."""
    models: dict[str, SearchModels] = {}

    def find(
        archive: Archive, selection: Selection, asked: of_run.Request, asker: Asker
    ) -> SearchAnswer:
        try:
            run = RunDirectory(archive.folder, selection)
            if run.path.name not in models:
                models[run.path.name] = of_run.models_of(run)
            return _answer(of_run.search(run, asked, models[run.path.name], asker))
        except UserError as error:
            raise HTTPException(400, " ".join(str(error).split())) from error

    @data.post("/search", responses=_RESPONSES, openapi_extra=_PICTURE)
    async def search(
        request: Request,
        text: _Text = None,
        person: _Person = None,
        camera: _Cameras = None,
        since: _Moment = None,
        until: _Moment = None,
        top: _Top = of_run.TOP,
        threshold: _Threshold = of_run.THRESHOLD,
    ) -> SearchAnswer:
        """The people who fit a description, look like the picture in the body, or both.

        Whoever is likely enough is in `found`, the likeliest first; if nobody is, it is empty.
        Each search is logged in the run directory.
        """
        if site.archive is None:
            raise HTTPException(404, "nothing can be searched: start the API with --out RUN")
        asked = of_run.Request(text, await _body(request), "the picture", person, top, threshold)
        selection = _selection(site.archive, camera, since, until)
        asker = Asker(request.client.host if request.client else "unknown", "api")
        return await anyio.to_thread.run_sync(find, site.archive, selection, asked, asker)


async def _body(request: Request) -> bytes | None:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise HTTPException(413, f"the picture has more than {MOST_BYTES // 1_000_000} MB")
    return body or None


def _selection(
    archive: Archive, cameras: list[str] | None, since: float | None, until: float | None
) -> Selection:
    """The selection of the request, within what the API shows."""
    shown = archive.selection
    first, last = shown.clipped(
        -math.inf if since is None else since, math.inf if until is None else until
    )
    if first >= last:
        raise HTTPException(400, f"no time is between since={since} and until={until}")
    wanted = shown.cameras if cameras is None else frozenset(cameras)
    if hidden := [name for name in sorted(wanted or ()) if not shown.has(name)]:
        raise HTTPException(400, f"unknown camera {hidden[0]!r}")
    return Selection(first, last, wanted)


def _answer(result: SearchResult) -> SearchAnswer:
    return SearchAnswer(
        verdict=result.verdict(),
        found=[_person(one) for one in result.found],
        closest=[_person(one) for one in result.closest],
        threshold=result.threshold,
        tracks=result.tracks,
        people=result.people,
        unknown_words=result.unknown_words,
        notes=result.notes,
    )


def _person(one: FoundPerson) -> FoundAnswer:
    return FoundAnswer(
        global_id=one.global_id,
        probability=one.probability,
        cameras=one.cameras,
        first_seen=one.start,
        last_seen=one.end,
        seen=[SeenAnswer(part.camera_id, part.start, part.end) for part in one.seen],
    )
