"""Requests generated from the OpenAPI schema; every response conforms to it."""

from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest
import schemathesis
from schemathesis.schemas import APIOperation

from builders import camera_sent, identity_sent, make_run, observations_sent
from live_api import TOKEN, LiveApi
from pipeline.bus.keys import IDENTITIES, OBSERVATIONS
from pipeline.run_directory.progress import RecorderProgress, write_progress

EXAMPLES = 12
# Behind the token is the same API.
EXAMPLES_WITH_TOKEN = 5
# It has no end.
STREAM = "/cameras/{camera_id}/preview.mjpeg"
# WebSockets, which the schema only describes.
SOCKETS = ("/events", "/wall")
# There is no node that shows something.
SNAPSHOT = "/cameras/{camera_id}/snapshot.jpg"
# No track of the test has one.
THUMBNAIL = "/thumbnails/{camera_id}/{track_id}.jpg"
FRAMES = ("/cameras/{camera_id}/moment.jpg", "/identities/{global_id}/moment.jpg")
MOMENT = "/identities/{global_id}/thumbnail.jpg"
# Words and pictures of nobody fit the schema, and are refused: see test_search.py.
SEARCH = "/search"
# There are tests of their own for them.
MARK, FIT = "/review/{event_id}", "/calibration/{camera_id}/fit"
CALIBRATION = "/calibration/{camera_id}"
# Nor are corrections that cannot be: see test_corrections.py.
CORRECTIONS = "/corrections"
# The site has none.
PLAN = "/plan"


@pytest.fixture(params=[None, TOKEN], ids=["open", "with a token"])
def known(
    request: pytest.FixtureRequest, open_api: Callable[..., LiveApi], tmp_path: Path
) -> LiveApi:
    """An API of a site with data in memory and on disk."""
    boxes = [("gate", frame, 1, (0.0, 0.0, 9.0, 9.0)) for frame in range(5)]
    run = make_run(tmp_path / "run", boxes, {("gate", 1): 1}, ground=True)
    api = open_api(out=run, token=request.param)
    write_progress(run, RecorderProgress(api.bus.run()))
    api.receive(OBSERVATIONS, camera_sent("hall", 9), observations_sent("hall", range(9), 1))
    api.receive(IDENTITIES, identity_sent("hall", 1, 1, 1.0), identity_sent("hall", 2, 2, 1.0))
    return api


@pytest.fixture
def headers(request: pytest.FixtureRequest) -> dict[str, str]:
    """The headers that the API requires."""
    token = request.node.callspec.params["known"]
    return {"Authorization": f"Bearer {token}"} if token else {}


def operations(api: LiveApi, headers: dict[str, str], *without: str) -> list[APIOperation]:
    """The operations in the served schema of the API."""
    schema = schemathesis.openapi.from_url(f"http://{api.place}/openapi.json", headers=headers)
    return [found.ok() for found in schema.exclude(path=list(without)).get_all_operations()]


# The threads of the API use `random` meanwhile, which looks as if the strategies did.
@pytest.mark.filterwarnings("ignore:Do not use the .random. module inside strategies")
@pytest.mark.slow
def test_every_response_conforms_to_the_schema(known: LiveApi, headers: dict[str, str]) -> None:
    asked = operations(known, headers, STREAM, *SOCKETS, SEARCH, CORRECTIONS, FIT, CALIBRATION)
    assert len(asked) >= 21
    for operation in asked:
        send_many(operation, headers)


def send_many(operation: APIOperation, headers: dict[str, str]) -> None:
    """Send valid and invalid requests."""

    @hypothesis.given(case=operation.as_strategy())
    @hypothesis.settings(
        max_examples=EXAMPLES_WITH_TOKEN if headers else EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    def ask(case: schemathesis.Case) -> None:
        case.call_and_validate(headers=headers, timeout=600)

    ask()


def test_existing_data_is_returned(known: LiveApi, headers: dict[str, str]) -> None:
    named = {"camera_id": "hall", "global_id": 1}
    for operation in operations(
        known,
        headers,
        *(
            STREAM,
            SNAPSHOT,
            *SOCKETS,
            SEARCH,
            PLAN,
            THUMBNAIL,
            MOMENT,
            *FRAMES,
            MARK,
            FIT,
            CALIBRATION,
        ),
    ):
        if operation.method != "get":
            continue
        places = {name: value for name, value in named.items() if name in operation.path}
        answer = operation.Case(path_parameters=places).call_and_validate(headers=headers)
        assert answer.status_code == 200


@pytest.mark.parametrize("path", SOCKETS)
def test_the_sockets_stand_in_the_schema(
    known: LiveApi, headers: dict[str, str], path: str
) -> None:
    schema = known.http.get("/openapi.json", headers=headers).json()
    described = schema["paths"][path]["get"]
    assert "WebSocket" in described["description"]
    assert set(described["responses"]) >= {"101", "426"}
    parameters = {"/events": ["after"], "/wall": ["cameras", "fps"]}
    assert [found["name"] for found in described["parameters"]] == parameters[path]
    answer = known.http.get(path, headers=headers)
    assert (answer.status_code, answer.headers["Upgrade"]) == (426, "websocket")
    assert "expected a WebSocket" in answer.json()["detail"]


def test_health_needs_no_token_in_the_schema_either(
    known: LiveApi, headers: dict[str, str]
) -> None:
    paths = known.http.get("/openapi.json", headers=headers).json()["paths"]
    assert paths["/healthz"]["get"]["responses"].keys() == {"200"}
    assert paths["/readyz"]["get"]["responses"].keys() == {"200", "503"}
    assert paths["/cameras"]["get"]["responses"].keys() == {"200", "401", "503"}
    assert "security" not in paths["/healthz"]["get"]
