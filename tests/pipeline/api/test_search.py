"""`/search`: people by a picture, and every refusal in a sentence."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from builders import WORDLESS, make_run
from fakes import BOX, RED, ColourDetector, ColourEmbedder, scene
from live_api import TOKEN, LiveApi
from pipeline.reid.embedding import model_hash
from pipeline.search import query_picture as of_search
from pipeline.search.networks import SearchModels

LOOKS = {("gate", 1): [0, 0, 1], ("hall", 1): [0, 0, 1], ("hall", 2): [1, 0, 0]}
IDS = {("gate", 1): 1, ("hall", 1): 1, ("hall", 2): 2}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A red person in two cameras and a blue one, and networks that see colours."""
    monkeypatch.setattr(SearchModels, "_detector", ColourDetector())
    monkeypatch.setattr(SearchModels, "_embedder", ColourEmbedder())
    model = model_hash(WORDLESS)
    looks = {key: {"embedding": look, "model": model} for key, look in LOOKS.items()}
    rows = [(camera, 0, track, (1.0, 1.0, 9.0, 9.0)) for camera, track in looks]
    return make_run(tmp_path / "run", rows, IDS, looks=looks)


@pytest.fixture
def known(open_api: Callable[..., LiveApi], run: Path) -> LiveApi:
    """An API of this run."""
    return open_api(out=run)


def picture() -> bytes:
    return bytes(cv2.imencode(".png", scene({BOX: RED}))[1])


def test_the_person_of_a_picture_is_found_and_the_search_logged(known: LiveApi, run: Path) -> None:
    answer = known.http.post("/search", content=picture())
    assert answer.status_code == 200, answer.text
    told = answer.json()
    (person,) = told["found"]
    assert (person["global_id"], person["cameras"]) == (1, ["gate", "hall"])
    assert [one["global_id"] for one in told["closest"]] == [2]
    assert told["verdict"] == "1 person like that, among 2 people."
    one = known.http.post("/search?camera=hall&since=0&top=1", content=picture()).json()
    assert one["found"][0]["seen"] == [{"camera_id": "hall", "start": 0.0, "end": 0.0}]
    first, _ = map(json.loads, (run / "searches.jsonl").read_text().splitlines())
    assert (first["who"], first["via"], first["found"]) == ("127.0.0.1", "api", [1])


@pytest.mark.parametrize(
    ("query", "body", "status", "fault"),
    [
        ("", b"", 400, "nothing to search for"),
        ("", b"words", 400, "damaged or not a picture"),
        ("?text=an+old+man", b"", 400, "declined because of 'old'"),
        ("?text=red+jacket", b"", 400, "knows no words"),
        ("?camera=yard", picture(), 400, "unknown camera 'yard'"),
        ("?since=2&until=2", picture(), 400, "no time is between"),
        ("?top=0", picture(), 422, "greater than or equal to 1"),
    ],
)
def test_refusals(known: LiveApi, query: str, body: bytes, status: int, fault: str) -> None:
    answer = known.http.post(f"/search{query}", content=body)
    assert answer.status_code == status
    assert fault in answer.text


def test_a_large_picture_is_refused(known: LiveApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.api.search.MOST_BYTES", 10)
    assert of_search.MOST_BYTES > 10
    assert known.http.post("/search", content=picture()).status_code == 413


def test_without_a_run_directory_nothing_can_be_searched(api: LiveApi) -> None:
    answer = api.http.post("/search?text=red")
    assert (answer.status_code, "--out RUN" in answer.text) == (404, True)


def test_other_pages_and_those_without_the_token_are_refused(
    known: LiveApi, open_api: Callable[..., LiveApi], run: Path
) -> None:
    headers = {"Origin": "https://elsewhere.example"}
    assert known.http.post("/search?text=red", headers=headers).status_code == 403
    assert open_api(out=run, token=TOKEN).http.post("/search?text=red").status_code == 401
