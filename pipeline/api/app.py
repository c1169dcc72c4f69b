"""The endpoints of the live API."""

import math
import threading
import time
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import (
    APIRouter,
    Depends,
    FastAPI,
    HTTPException,
    Path,
    Query,
    Request,
    Response,
    WebSocket,
)
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from fastapi.security import HTTPBearer
from starlette.middleware.trustedhost import TrustedHostMiddleware

from pipeline.api.archive import identity_answer, path_answer, stays_of
from pipeline.api.audit import AuditLog
from pipeline.api.auth import Access
from pipeline.api.calibration import add_calibration
from pipeline.api.console import add_console
from pipeline.api.corrections import add_corrections, cannot_be_made, names_of
from pipeline.api.events import send_events
from pipeline.api.login import add_login
from pipeline.api.map import add_map
from pipeline.api.moments import add_moments
from pipeline.api.plan import Plan
from pipeline.api.review import add_review
from pipeline.api.schemas import (
    CameraAnswer,
    CamerasAnswer,
    CountsAnswer,
    HealthAnswer,
    IdentityAnswer,
    PathAnswer,
    PeopleAnswer,
    Problem,
)
from pipeline.api.search import add_search
from pipeline.api.shown import ShownPictures, ShownSite
from pipeline.api.system import add_system
from pipeline.api.thumbnails import add_thumbnails
from pipeline.api.users import Users
from pipeline.api.viewer import BOUNDARY
from pipeline.api.wall import WallPictures, show_wall
from pipeline.bus.pictures import Picture, PictureKind
from pipeline.bus.streams import Bus
from pipeline.corrections.check import CorrectionError
from pipeline.errors import UserError
from pipeline.monitoring.metrics import CONTENT_TYPE, page_of_counts
from pipeline.run_directory.row_groups import steadily

_MOST_ID = 2**63 - 1

# Allowed host names without a token; this blocks DNS rebinding by other web pages.
_LOCAL_NAMES = ["localhost", "127.0.0.1", "[::1]", "::1"]

_Count = Annotated[int, Query(ge=1, le=1000, description="Maximum number of results.")]
_Points = Annotated[int, Query(ge=1, le=10_000, description="Approximate number of points.")]
_GlobalId = Annotated[int, Path(ge=1, le=_MOST_ID)]
_Moment = Annotated[float | None, Query(allow_inf_nan=False, description="Seconds UTC.")]
_Boxes = Annotated[bool, Query(description="Draw the boxes and ids of the tracks.")]
_AfterEvent = Annotated[
    str | None, Query(description="Id of the last event received, to continue after it.")
]
_WallCameras = Annotated[
    str | None, Query(description="Names of cameras with commas; default: all.")
]
_Fps = Annotated[
    float, Query(gt=0, le=25, description="Maximum number of pictures a second and camera.")
]
_Last = Annotated[
    float, Query(gt=0, le=86_400, description="Only people seen within this many seconds.")
]

_REFUSED: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "The token is missing or wrong."},
    503: {"model": Problem, "description": "Redis or the run directory is not readable."},
}
_NOT_READY: dict[int | str, dict[str, Any]] = {
    503: {"model": HealthAnswer, "description": "The API has no connection to Redis."}
}
_EVENTS: dict[int | str, dict[str, Any]] = {
    101: {"description": "The WebSocket is open; events follow."}
}
_UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": "Unknown."}}
_NO_PICTURE: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "Unknown camera, or it has no picture now."}
}


def make_app(
    site: ShownSite,
    pictures: ShownPictures,
    *,
    users: Users,
    local: bool,
    stop: threading.Event,
    plan: Plan | None = None,
    bus: Bus | None = None,
    file: FilePath | None = None,
) -> FastAPI:
    """Create the application: data of ``site`` and its ``pictures``, until ``stop`` is set.

    Only ``users`` are answered. A ``local`` application without any token accepts only requests to
    the host names of this computer. ``plan`` is the floor plan, ``bus`` the Redis of a live site,
    ``file`` the site file.
    """
    # FastAPI's documentation pages are off, because they load scripts from other servers.
    app = FastAPI(
        title="fusetrack",
        summary="People, cameras and pictures of a site, live.",
        docs_url=None,
        redoc_url=None,
    )
    if local and users.is_open:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=_LOCAL_NAMES, www_redirect=False)
    audit = AuditLog(lambda: site.archive.folder if site.archive else None, time.time)
    app.add_middleware(Access, users=users, audit=audit)
    app.add_exception_handler(UserError, _unavailable)
    app.add_exception_handler(CorrectionError, cannot_be_made)
    _add_health(app, site)
    add_console(app)
    # `Access` checks the token; this only documents it in the schema.
    auth = [] if users.is_open else [Depends(HTTPBearer(auto_error=False))]
    data = APIRouter(dependencies=auth, responses=_REFUSED)
    _add_cameras(data, site)
    _add_identities(data, site)
    _add_counts(data, site)
    _add_pictures(data, site, pictures)
    _explain_sockets(data)
    add_thumbnails(data, site)
    add_search(data, site)
    add_moments(data, site)
    add_map(data, site, plan)
    add_review(data, site)
    add_corrections(data, site)
    unguarded = APIRouter()
    add_login(unguarded, data, users, site, time.monotonic)
    app.include_router(unguarded)
    add_system(data, site, bus)
    add_calibration(data, site, file)
    app.include_router(data)

    @app.websocket("/events")
    async def events(socket: WebSocket, after: str | None = None) -> None:
        await send_events(socket, site.events, after, stop)

    on_walls = WallPictures(pictures)

    @app.websocket("/wall")
    async def wall(socket: WebSocket, cameras: str | None = None, fps: _Fps = 5.0) -> None:
        await show_wall(socket, site, on_walls, cameras, fps, stop)

    return app


async def _unavailable(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": " ".join(str(error).split())}, status_code=503)


def _add_health(app: FastAPI, site: ShownSite) -> None:
    def health() -> HealthAnswer:
        return HealthAnswer("ok" if site.reachable else "no redis")

    @app.get("/healthz")
    def healthz() -> HealthAnswer:
        """Whether the API is alive and connected to Redis; needs no token."""
        return health()

    @app.get("/readyz", responses=_NOT_READY)
    def readyz(response: Response) -> HealthAnswer:
        """As healthz, with status 503 without a connection to Redis; needs no token."""
        response.status_code = 200 if site.reachable else 503
        return health()


def _add_cameras(data: APIRouter, site: ShownSite) -> None:
    @data.get("/cameras")
    def cameras() -> CamerasAnswer:
        """All cameras and their states."""
        return CamerasAnswer(site.name, site.cameras())

    @data.get("/cameras/{camera_id}", responses=_UNKNOWN)
    def camera(camera_id: str) -> CameraAnswer:
        """One camera and its state."""
        return _camera(site, camera_id)


def _add_identities(data: APIRouter, site: ShownSite) -> None:
    @data.get("/identities")
    def identities(
        last_s: _Last = 10.0,
        after: Annotated[
            int, Query(ge=0, le=_MOST_ID, description="Only global ids above this one.")
        ] = 0,
        limit: _Count = 100,
    ) -> PeopleAnswer:
        """The people present now, by global id."""
        return _people_page(site, last_s, after, limit)

    @data.get("/identities/{global_id}", responses=_UNKNOWN)
    def identity(global_id: _GlobalId) -> IdentityAnswer:
        """All tracks of a person since the start of the run, or recent ones without `--out RUN`."""
        stays = steadily(lambda: stays_of(global_id, site.recent_rows(), site.archive))
        _check_known(global_id, site, known=not stays.is_empty())
        return replace(identity_answer(global_id, stays), name=names_of(site).get(global_id))

    @data.get("/identities/{global_id}/path", responses=_UNKNOWN)
    def path(
        global_id: _GlobalId,
        since: _Moment = None,
        until: _Moment = None,
        limit: _Points = 1000,
    ) -> PathAnswer:
        """The path of a person over all cameras, oldest point first."""
        recent, archive = site.recent_rows(), site.archive
        stays = steadily(lambda: stays_of(global_id, recent, archive))
        _check_known(global_id, site, known=not stays.is_empty())
        start = -math.inf if since is None else since
        end = math.inf if until is None else until
        return steadily(lambda: path_answer(global_id, stays, recent, archive, start, end, limit))


def _add_counts(data: APIRouter, site: ShownSite) -> None:
    @data.get("/counts")
    def counts() -> CountsAnswer:
        """The people in each zone now, and the crossings of each line since the API began."""
        return site.counts()

    @data.get("/metrics", response_class=PlainTextResponse)
    def metrics() -> Response:
        """The same for Prometheus: `fusetrack_zone_people` and `fusetrack_line_crossings_total`."""
        found = site.counts()
        page = page_of_counts(
            site.name,
            ((zone.zone, zone.people) for zone in found.zones),
            ((line.line, line.direction, line.crossings) for line in found.lines),
        )
        return Response(page, media_type=CONTENT_TYPE)


def _people_page(site: ShownSite, last_s: float, after: int, limit: int) -> PeopleAnswer:
    now = site.now()
    found = [] if now is None else site.people_since(now - last_s)
    rest = [person for person in found if person.global_id > after]
    names = names_of(site)
    page = [replace(person, name=names.get(person.global_id)) for person in rest[:limit]]
    following = page[-1].global_id if len(rest) > limit else None
    return PeopleAnswer(now, page, following)


def _explain_sockets(data: APIRouter) -> None:
    # OpenAPI has no WebSockets: this describes them, and answers plain requests.
    @data.get(
        "/events",
        responses=_EVENTS,
        status_code=426,
        response_description="Asked without a WebSocket.",
    )
    def explain_events(response: Response, after: _AfterEvent = None) -> Problem:
        """The events of the site as they occur, over a WebSocket: one JSON object a message.

        Each has an `id` and a `type`: identity (a track got a global id), camera (a camera changed
        its state), correction (a person corrected something), forget, run (a new run began), end,
        forgotten, or missed (the client was too slow, or its `after` is unknown). The token may be
        given as `?token=`.
        """
        return _not_a_socket(response, "events")

    @data.get(
        "/wall",
        responses=_EVENTS,
        status_code=426,
        response_description="Asked without a WebSocket.",
    )
    def explain_wall(response: Response, cameras: _WallCameras = None, fps: _Fps = 5.0) -> Problem:
        """Pictures and boxes of all cameras as they come, over one WebSocket.

        A binary message is a small picture: the length of a JSON header (4 bytes, big-endian), the
        header with `camera_id` and `timestamp`, and a JPEG without boxes. A text message is JSON of
        the type `boxes`: the `people` in the frame of a `camera_id` at a `timestamp`, each with
        `global_id` (null while unknown), `track_id`, `box`, `confidence` and `ground`, and `width`
        and `height` of the frame that the boxes are in. The boxes of a picture come after it,
        within an interval of the association. The token may be given as `?token=`.
        """
        return _not_a_socket(response, "wall")


def _not_a_socket(response: Response, name: str) -> Problem:
    response.headers["Upgrade"] = "websocket"
    return Problem(f"expected a WebSocket, for example `websocat ws://HOST:PORT/{name}`")


def _add_pictures(data: APIRouter, site: ShownSite, pictures: ShownPictures) -> None:
    jpeg: dict[int | str, dict[str, Any]] = {200: {"content": {"image/jpeg": {}}}, **_NO_PICTURE}

    @data.get(
        "/cameras/{camera_id}/snapshot.jpg",
        responses=jpeg,
        response_class=Response,
    )
    async def snapshot(camera_id: str, boxes: _Boxes = False) -> Response:
        """The latest full-size picture of a camera, however old.

        `X-Timestamp` is its time, seconds UTC, and `X-Age` how many seconds ago that was.
        """
        camera = _camera(site, camera_id)
        picture = await pictures.viewer(camera_id, _kind("full", boxes)).next()
        if picture is None:
            raise HTTPException(404, pictures.missing(camera))
        return _snapshot(site, picture)

    stream = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
    mjpeg: dict[int | str, dict[str, Any]] = {200: {"content": {stream: {}}}, **_NO_PICTURE}

    @data.get(
        "/cameras/{camera_id}/preview.mjpeg",
        responses=mjpeg,
        response_class=StreamingResponse,
    )
    async def preview(camera_id: str, boxes: _Boxes = False) -> StreamingResponse:
        """A stream of small pictures of a camera, as long as it delivers frames."""
        camera = _camera(site, camera_id)
        viewer = pictures.viewer(camera_id, _kind("small", boxes))
        picture = await viewer.next()
        if picture is None:
            raise HTTPException(404, pictures.missing(camera))
        return StreamingResponse(viewer.stream(picture), media_type=stream)


def _snapshot(site: ShownSite, picture: Picture) -> Response:
    now = site.now()
    age_s = 0.0 if now is None else max(now - picture.timestamp, 0.0)
    headers = {"X-Timestamp": repr(picture.timestamp), "X-Age": f"{age_s:.1f}"}
    return Response(picture.jpeg, media_type="image/jpeg", headers=headers)


def _kind(size: str, boxes: bool) -> PictureKind:
    if size == "full":
        return "full-boxes" if boxes else "full"
    return "small-boxes" if boxes else "small"


def _camera(site: ShownSite, camera_id: str) -> CameraAnswer:
    cameras = {camera.id: camera for camera in site.cameras()}
    if camera_id not in cameras:
        known = ", ".join(cameras) or "none"
        raise HTTPException(404, f"unknown camera {camera_id!r}. Known: {known}")
    return cameras[camera_id]


def _check_known(global_id: int, site: ShownSite, *, known: bool) -> None:
    if not known:
        where = "in memory (without --out RUN)" if site.archive is None else "of this run"
        raise HTTPException(404, f"unknown identity {global_id}: no track {where} has it")
