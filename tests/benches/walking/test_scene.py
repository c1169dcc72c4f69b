"""Walks: who was where is known exactly, and nobody shows the same crop twice."""

import numpy as np
import pytest

from walking.crops import Crops
from walking.scene import make_scene
from walking.score import association_accuracy, oracle, score
from walking.stream import PARTS, stream


def crops_of(people: int = 12, cameras: int = 2, each: int = 5) -> Crops:
    """Everybody looks like a direction of their own, everywhere."""
    person = np.repeat(np.arange(people), cameras * each)
    camera = np.tile(np.repeat(np.arange(cameras), each), people)
    return Crops(person, camera, np.eye(people, dtype=np.float32)[person])


def test_the_same_seed_is_the_same_walk() -> None:
    crops = crops_of()
    one, other = make_scene(crops, 10, 2, 5), make_scene(crops, 10, 2, 5)
    assert [t.crops() for t in one.tracks] == [t.crops() for t in other.tracks]
    assert [t.crops() for t in one.tracks] != [
        t.crops() for t in make_scene(crops, 10, 2, 6).tracks
    ]


def test_a_crop_is_shown_on_one_visit_only() -> None:
    scene = make_scene(crops_of(cameras=4), 12, 4, 1)
    rows = [row for visit in scene.visits for row in visit.rows]
    assert len(rows) == len({*rows})


def test_too_few_people_are_told() -> None:
    with pytest.raises(ValueError, match="only 12 people"):
        make_scene(crops_of(), 13, 2, 0)


def test_what_is_sent_is_what_was_there() -> None:
    crops = crops_of()
    scene = make_scene(crops, 12, 2, 3)
    closed = {t.track_id: t for _, told in stream(scene, crops, None) for t in told if t.closed}
    assert {number // PARTS for number in closed} == {*range(1, len(scene.tracks) + 1)}
    for number, track in enumerate(scene.tracks, start=1):
        assert closed[PARTS * number].start == track.start
        assert closed[PARTS * number].end == pytest.approx(track.end)


def test_the_truth_is_scored_as_such_and_nobody_known_as_nothing() -> None:
    crops = crops_of()
    scene = make_scene(crops, 12, 2, 3)
    best = score(scene, crops, oracle(scene))
    assert best["idf1"] > 0.9
    assert best["right"] > 0.8
    nothing = score(scene, crops, {})
    assert (nothing["idf1"], nothing["right"], nothing["ids_per_person"]) == (0, 0, 0)


def test_association_accuracy_of_hand() -> None:
    person, seconds = np.array([0, 0, 1]), np.array([2.0, 2.0, 4.0])
    assert association_accuracy(person, np.array([7, 7, 8]), seconds) == 1
    # Half of one person is alone: 2 of 4 are right for each of its seconds.
    assert association_accuracy(person, np.array([7, 9, 8]), seconds) == pytest.approx(0.75)
    assert association_accuracy(person, np.array([-1, -1, -1]), seconds) == 0
