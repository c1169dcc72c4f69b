"""`fusetrack search`: table, JSON, page and errors of one line."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from builders import WORDLESS, make_run
from command_line import Command
from fakes import BOX, RED, ColourDetector, ColourEmbedder, scene
from pipeline.reid.embedding import model_hash
from pipeline.search.networks import SearchModels


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A red person in two cameras, and networks that see colours."""
    monkeypatch.setattr(SearchModels, "_detector", ColourDetector())
    monkeypatch.setattr(SearchModels, "_embedder", ColourEmbedder())
    model = model_hash(WORDLESS)
    looks = {
        (camera, track): {"embedding": look, "model": model}
        for camera, track, look in (("a", 1, [0, 0, 1]), ("b", 1, [0, 0, 1]), ("b", 2, [1, 0, 0]))
    }
    rows = [(camera, 0, track, (1.0, 1.0, 9.0, 9.0)) for camera, track in looks]
    cv2.imwrite(str(tmp_path / "who.png"), scene({BOX: RED}))
    ids = {("a", 1): 1, ("b", 1): 1, ("b", 2): 2}
    return make_run(tmp_path / "run", rows, ids, looks=looks)


def test_people_are_listed(fusetrack: Command, run: Path) -> None:
    image = str(run.parent / "who.png")
    outcome = fusetrack("search", str(run), "--image", image)
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("1 person like that, among 2 people.")
    assert "a, b" in outcome.out
    page = run.parent / "found.html"
    options = ("--json", "--closest", "--html", str(page), "--camera", "b")
    outcome = fusetrack("search", str(run), "--image", image, *options)
    told = json.loads(outcome.out)
    assert [one["global_id"] for one in told["found"]] == [1]
    assert [one["global_id"] for one in told["closest"]] == [2]
    assert told["found"][0]["seen"] == [{"camera_id": "b", "start": 0.0, "end": 0.0}]
    assert "data-person" in page.read_text()
    assert len((run / "searches.jsonl").read_text().splitlines()) == 2


def test_nobody_is_found_in_a_sentence(fusetrack: Command, run: Path) -> None:
    image = str(run.parent / "who.png")
    cv2.imwrite(image, scene({BOX: (0, 200, 0)}))
    outcome = fusetrack("search", str(run), "--image", image, "--threshold", "0.99")
    assert outcome.code == 0
    assert outcome.out.splitlines() == ["Nothing like that here, among 2 people (3 tracks)."]


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ((), "nothing to search for"),
        (("--image", "none.png"), "cannot read the picture none.png"),
        (("--text", "an asian person"), "declined because of 'asian'"),
        (("--text", "red jacket"), "knows no words"),
        (("--text", "red", "--camera", "c"), "unknown camera 'c'"),
        (("--embed-again", "--camera", "a"), "--embed-again embeds a whole run"),
        (("--embed-again",), "has no thumbnails to embed again"),
    ],
)
def test_errors_are_one_line(
    fusetrack: Command, run: Path, options: tuple[str, ...], fault: str
) -> None:
    outcome = fusetrack("search", str(run), *options)
    assert outcome.code == 2
    assert fault in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert np.all([not line.startswith("Traceback") for line in outcome.err.splitlines()])
