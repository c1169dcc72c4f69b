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

    ``looks`` are exemplars in degrees. The path has the points ``feet`` (or ``ground``, when that
    is given), spread evenly from start to end unless ``times`` says when; with one point somebody
    stays there.
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
    evidence = Evidence(rules, rules.topology, population or Population(rules.calibration))
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
