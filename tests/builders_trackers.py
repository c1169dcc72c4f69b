"""Tiny hand-made tracklets for the tests of the association."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from trackers.association.appearance import Calibration, Population
from trackers.association.decision import Rules
from trackers.association.evidence import Evidence
from trackers.association.motion import Limits
from trackers.association.people import People
from trackers.association.shared_views import SharedViews
from trackers.association.topology import Topology, topology_of
from trackers.tracklet import Tracklet

#: Three cameras in a row.
TRANSITIONS = topology_of({("a", "b"): 10.0, ("b", "c"): 10.0})
#: A test with transitions that are given, and where none are.
given_or_not = pytest.mark.parametrize(
    "topology", [TRANSITIONS, Topology()], ids=["transitions", "no transitions"]
)


def unit_vector(degrees: float) -> tuple[float, float]:
    """A unit vector: looks that are 0 degrees apart are alike (cosine 1), 90 are not (cosine 0)."""
    return math.cos(math.radians(degrees)), math.sin(math.radians(degrees))


def make_tracklet(
    start: float,
    end: float,
    *,
    camera_id: str = "a",
    track_id: int = 1,
    revision: int = 1,
    closed: bool = True,
    exemplars: Sequence[float] = (),
    qualities: Sequence[float] | None = None,
    feet: Sequence[tuple[float, float]] = ((300.0, 400.0),),
    ground: Sequence[tuple[float, float]] | None = None,
    height: float = 170.0,
    times: Sequence[float] | None = None,
    count: int = 10,
) -> Tracklet:
    """A tracklet of which only what matters to a test has to be said.

    ``exemplars`` are directions in degrees. The path has the points ``feet`` (or ``ground``, when
    that is given), spread evenly from start to end unless ``times`` says when; with one point
    somebody stays there.
    """
    points = feet if ground is None else ground
    if len(points) == 1 and times is None and end > start:
        points = [points[0], points[0]]
    moments = np.linspace(start, end, len(points)) if times is None else np.array(times)
    places = np.array(points, float).reshape(len(points), 2)
    pixels = places if ground is None else places * 100
    return Tracklet(
        camera_id=camera_id,
        track_id=track_id,
        revision=revision,
        start=start,
        end=end,
        count=count,
        closed=closed,
        exemplars=np.array([unit_vector(d) for d in exemplars], np.float32).reshape(
            len(exemplars), 2
        ),
        qualities=_qualities(len(exemplars), qualities),
        exemplar_times=np.linspace(start, end, len(exemplars)),
        path=np.column_stack([moments, pixels, np.full(len(points), height)]),
        ground=None if ground is None else places,
    )


def _qualities(count: int, qualities: Sequence[float] | None) -> NDArray[np.float32]:
    return np.ones(count, np.float32) if qualities is None else np.array(qualities, np.float32)


def make_calibration(slope: float, midpoint: float) -> Calibration:
    """One whose evidence is ``slope * (cosine - midpoint)`` where people have nothing in common."""
    return Calibration(slope, midpoint, common=0.0, spread=0.1, visit=1e-9, crop=0.0)


def make_rules(topology: Topology | None = None, **changed: Any) -> Rules:
    """Rules of which only what matters to a test has to be said."""
    usual: dict[str, Any] = {
        "evidence_s": 1.5,
        "min_exemplars": 1,
        "min_confidence": 0.5,
        "gallery_s": 600.0,
        "limits": Limits(max_speed=3.0, max_ground_distance=1.5),
        "calibration": make_calibration(6.0, 0.5),
        "topology": topology or Topology(),
    }
    return Rules(**{**usual, **changed})


def seen(camera_id: str, track_id: int, start: float, *degrees: float, **more: Any) -> Tracklet:
    """A tracklet of five seconds with these exemplars."""
    return make_tracklet(
        start, start + 5, camera_id=camera_id, track_id=track_id, exemplars=degrees, **more
    )


def evidence_of(
    topology: Topology | None = None, population: Population | None = None, **changed: Any
) -> Evidence:
    """Evidence by rules of which only what matters to a test has to be said."""
    rules = make_rules(topology, **changed)
    evidence = Evidence(
        rules,
        rules.topology,
        population or Population(rules.calibration),
        SharedViews(rules.topology.learn_overlaps),
    )
    evidence.begin()
    return evidence


def make_people(
    members: Mapping[int, Sequence[Tracklet]], topology: Topology | None = None
) -> People:
    """People by global id, with their tracklets."""
    people = People(topology or Topology())
    for global_id, tracklets in members.items():
        for tracklet in tracklets:
            people.join(tracklet, global_id)
    return people


def random_tracklets(rng: np.random.Generator, count: int, every_s: float) -> list[Tracklet]:
    """Tracklets of 5 s in cameras a, b and c, with two exemplars each."""
    return [
        make_tracklet(
            every_s * number,
            every_s * number + 5,
            camera_id=str(rng.choice(["a", "b", "c"])),
            track_id=number,
            exemplars=rng.uniform(0, 90, 2).tolist(),
        )
        for number in range(count)
    ]


#: Ground metres (x, y, 1) to the pixels of two cameras.
GROUND_TO_PICTURE = {
    "a": np.array([[120.0, 30.0, 500.0], [5.0, 90.0, 300.0], [0.002, 0.02, 1.0]]),
    "b": np.array([[-80.0, 60.0, 800.0], [10.0, -50.0, 700.0], [0.0, -0.02, 1.0]]),
}


def walks(people: int, seed: int, seconds: float = 30.0) -> list[NDArray[np.float64]]:
    """People who wander on a place of eight metres: ``(T, 2)`` metres, four a second."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(people):
        turns = np.cumsum(rng.normal(0, 0.3, int(seconds * 4)))
        steps = 0.3 * np.column_stack([np.cos(turns), np.sin(turns)])
        path = rng.uniform(2, 6, 2) + np.cumsum(steps, axis=0)
        found.append(4 - np.abs((path % 16) - 8) / 2)
    return found


def seen_by(camera_id: str, number: int, walk: NDArray[np.float64], start: float = 0) -> Tracklet:
    """The track of a walk in a camera."""
    projected = np.column_stack([walk, np.ones(len(walk))]) @ GROUND_TO_PICTURE[camera_id].T
    feet = projected[:, :2] / projected[:, 2:]
    return make_tracklet(
        start,
        start + (len(walk) - 1) / 4,
        camera_id=camera_id,
        track_id=number,
        feet=[(float(x), float(y)) for x, y in feet],
        height=100.0,
    )


def both_see(people: int = 4, seed: int = 0, shift_s: float = 0.0) -> dict[str, list[Tracklet]]:
    """The same people in both cameras; the clock of ``b`` is off by ``shift_s``."""
    paths = walks(people, seed)
    return {
        "a": [seen_by("a", n, walk) for n, walk in enumerate(paths)],
        "b": [seen_by("b", n, walk, shift_s) for n, walk in enumerate(paths)],
    }
