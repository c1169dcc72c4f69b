"""Everything that the OpenAPI schema allows is asked, and every answer fits it."""

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
# It has no end.
STREAM = "/cameras/{camera_id}/preview.mjpeg"
# There is no node that shows something.
SNAPSHOT = "/cameras/{camera_id}/snapshot.jpg"


@pytest.fixture(params=[None, TOKEN], ids=["open", "with a token"])
def known(
    request: pytest.FixtureRequest, open_api: Callable[..., LiveApi], tmp_path: Path
) -> LiveApi:
    """An API of a site at which something has happened, in memory and on disk."""
    boxes = [("gate", frame, 1, (0.0, 0.0, 9.0, 9.0)) for frame in range(5)]
    run = make_run(tmp_path / "run", boxes, {("gate", 1): 1}, ground=True)
    api = open_api(out=run, token=request.param)
    write_progress(run, RecorderProgress(api.bus.run()))
    api.receive(OBSERVATIONS, camera_sent("hall", 9), observations_sent("hall", range(9), 1))
    api.receive(IDENTITIES, identity_sent("hall", 1, 1, 1.0), identity_sent("hall", 2, 2, 1.0))
    return api


@pytest.fixture
def shown(request: pytest.FixtureRequest) -> dict[str, str]:
    """The headers that the API asks for."""
    token = request.node.callspec.params["known"]
    return {"Authorization": f"Bearer {token}"} if token else {}


def operations(api: LiveApi, shown: dict[str, str], *without: str) -> list[APIOperation]:
    """What the schema of the API, as it is served, allows to ask."""
    schema = schemathesis.openapi.from_url(f"http://{api.place}/openapi.json", headers=shown)
    return [found.ok() for found in schema.exclude(path=list(without)).get_all_operations()]


@pytest.mark.slow
def test_every_answer_fits_the_schema(known: LiveApi, shown: dict[str, str]) -> None:
    asked = operations(known, shown, STREAM)
    assert len(asked) == 8
    for operation in asked:
        ask_much(operation, shown)


def ask_much(operation: APIOperation, shown: dict[str, str]) -> None:
    """Ask what is allowed and what is not."""

    @hypothesis.given(case=operation.as_strategy())
    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    def ask(case: schemathesis.Case) -> None:
        case.call_and_validate(headers=shown, timeout=600)

    ask()


def test_what_exists_is_answered(known: LiveApi, shown: dict[str, str]) -> None:
    named = {"camera_id": "hall", "global_id": 1}
    for operation in operations(known, shown, STREAM, SNAPSHOT):
        places = {name: value for name, value in named.items() if name in operation.path}
        answer = operation.Case(path_parameters=places).call_and_validate(headers=shown)
        assert answer.status_code == 200
