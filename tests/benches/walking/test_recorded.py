"""What a run gave its association is kept, and gives the same decisions again."""

from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest

from fakes import BLUE, BOX, RED, ColourDetector, ColourEmbedder, scene
from pipeline.associator.open import association_of
from pipeline.config.load import check_config
from pipeline.evaluation.boxes import BOX as CORNERS
from pipeline.runtime import assemble
from pipeline.runtime.run import run_site
from trackers.association.association import Decision
from walking.composed import TRUTH
from walking.recorded import (
    Moments,
    Recorded,
    decide,
    decided,
    is_saved,
    last_tracklets,
    listening,
    load,
    save,
)
from walking.scene import Scene, Visit


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Recorded, pl.DataFrame]:
    """A red person in one camera, later a blue one and the red one in the other, with real Redis
    and fake networks; and the trajectories of that run."""
    folder = tmp_path_factory.mktemp("walk")
    patch = pytest.MonkeyPatch()
    patch.setattr(assemble, "open_models", lambda *_: (ColourDetector(), ColourEmbedder()))
    shown = {"c0": [RED] * 30 + [None] * 40, "c1": [None] * 40 + [BLUE] * 10 + [RED] * 20}
    for name, colours in shown.items():
        (folder / name).mkdir()
        for index, colour in enumerate(colours):
            picture = scene({} if colour is None else {BOX: colour})
            cv2.imwrite(str(folder / name / f"{index:03}.png"), picture)
    cameras = {name: {"source": str(folder / name), "fps": 10} for name in shown}
    config = check_config({"cameras": cameras}, "the test")
    moments: Moments = []
    with listening(moments):
        result = run_site(config, folder / "run")
    patch.undo()
    decisions = decide(moments, association_of(config))
    visit = Visit(0, 3, 0, 0.0, 3.0, (5, 7), (0.0, 600.0), (1920.0, 700.0))
    truth = pl.DataFrame([("c0", 0, 3, 0.0, 0.0, 9.0, 9.0, 0)], TRUTH, orient="row")
    one = Recorded(Scene(2, (visit,), ()), "net", truth, result.observations(), moments)
    again = decided(one, decisions)
    assert again.equals(result.trajectories())
    return one, again


def test_the_same_rules_decide_as_in_the_run(recorded: tuple[Recorded, pl.DataFrame]) -> None:
    _, trajectories = recorded
    assert trajectories["global_id"].null_count() == 0
    assert trajectories.select(CORNERS).null_count().sum_horizontal().item() == 0
    assert len(trajectories) > 50


def test_a_kept_walk_is_the_same(recorded: tuple[Recorded, pl.DataFrame], tmp_path: Path) -> None:
    one, _ = recorded
    assert not is_saved(tmp_path / "walk")
    save(one, tmp_path / "walk")
    assert is_saved(tmp_path / "walk")
    other = load(tmp_path / "walk")
    assert other.scene.visits == one.scene.visits or [*map(repr, other.scene.visits)] == [
        *map(repr, one.scene.visits)
    ]
    assert other.truth.equals(one.truth)
    assert other.observations.equals(one.observations)
    assert [at for at, _ in other.moments] == [at for at, _ in one.moments]
    pairs = zip(last_tracklets(other), last_tracklets(one), strict=True)
    assert all(
        a.key == b.key and np.array_equal(a.exemplars, b.exemplars) and a.closed for a, b in pairs
    )


def test_without_decisions_nobody_has_an_id(recorded: tuple[Recorded, pl.DataFrame]) -> None:
    one, _ = recorded
    assert decided(one, [])["global_id"].null_count() > 50


def test_the_last_decision_counts(recorded: tuple[Recorded, pl.DataFrame]) -> None:
    one, _ = recorded
    key = last_tracklets(one)[0].key
    decisions = [Decision(key, n, 0.9, "assigned", "a test") for n in (4, 5)]
    rows = decided(one, decisions)
    assert set(rows.filter(camera_id=key[0], track_id=key[1])["global_id"]) == {5}
