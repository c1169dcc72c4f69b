"""Scores of ids against the ground truth of a walk, and the causes of missed links."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from simulation.score import idf1
from walking.crops import Crops
from walking.scene import Scene, Track, Visit

#: The ids of each track, by its number from 1: start (seconds) and id.
Ids = Mapping[int, list[tuple[float, int]]]
# A track that shows another person for more than this share is impure.
_IMPURE = 0.2


@dataclass(frozen=True, slots=True)
class Shown:
    """For ``seconds`` a track showed a ``visit`` and had this ``identity``, -1: none."""

    visit: int
    identity: int
    seconds: float


def score(scene: Scene, crops: Crops, ids: Ids) -> dict[str, float]:
    """IDF1, AssA, ids for each person, links and the causes of those that are missed.

    A link joins two visits of a person that follow one another. ``right`` is the share of the
    true links that were made, ``wrong`` the share of those made that join two people.
    """
    shown = _shown(scene, ids)
    person = np.array([scene.visits[one.visit].person for one in shown], np.int64)
    identity = np.array([one.identity for one in shown], np.int64)
    seconds = np.array([one.seconds for one in shown])
    links = _links(scene, crops, shown)
    return {
        "idf1": idf1(person, identity, seconds),
        "assa": association_accuracy(person, identity, seconds),
        "ids_per_person": len({*identity.tolist()} - {-1}) / len(np.unique(person)),
        **links,
    }


def oracle(scene: Scene) -> Ids:
    """The best ids possible with these tracks: each is that of the person it shows longest."""
    return {n: [(t.start, _whose(t).person)] for n, t in enumerate(scene.tracks, start=1)}


def shown_person(track: Track, start: float, end: float) -> int:
    """The person that a track shows longest between two moments."""
    seconds: Counter[int] = Counter()
    for piece in track.pieces:
        shared = min(piece.end, end) - max(piece.start, start)
        seconds[piece.visit.person] += max(shared, 0.0)  # type: ignore[assignment]
    return max(seconds, key=lambda person: (seconds[person], -person))


def association_accuracy(
    person: NDArray[np.int64], identity: NDArray[np.int64], seconds: NDArray[np.float64]
) -> float:
    """AssA of HOTA (Luiten et al., 2021) on seconds, where everything is detected."""
    people, rows = np.unique(person, return_inverse=True)
    identities, columns = np.unique(identity, return_inverse=True)
    together = np.zeros((len(people), len(identities)))
    np.add.at(together, (rows, columns), seconds)
    # Tracks without an id match no person.
    together[:, identities < 0] *= 0
    either = np.bincount(rows, seconds)[:, None] + together.sum(axis=0) - together
    return float((together**2 / np.maximum(either, 1e-9)).sum() / seconds.sum())


def _shown(scene: Scene, ids: Ids) -> list[Shown]:
    found = []
    for number, track in enumerate(scene.tracks, start=1):
        given = ids.get(number, [(track.start, -1)])
        ends = [*(since for since, _ in given[1:]), np.inf]
        for piece in track.pieces:
            for row, ((since, identity), until) in enumerate(zip(given, ends, strict=True)):
                start = max(piece.start, since if row else -np.inf)
                seconds = min(piece.end, until) - start
                if seconds > 0:
                    found.append(Shown(piece.visit.number, identity, seconds))
    return found


def _links(scene: Scene, crops: Crops, shown: list[Shown]) -> dict[str, float]:
    most: dict[int, Counter[int]] = defaultdict(Counter)
    for one in shown:
        most[one.visit][one.identity] += one.seconds  # type: ignore[assignment]
    # A visit without a track cannot be linked.
    seen = sorted((scene.visits[n] for n in most), key=lambda visit: (visit.start, visit.number))
    identity = {n: max(counts, key=lambda i: (counts[i], i)) for n, counts in most.items()}
    true = _pairs(seen, {visit.number: visit.person for visit in seen})
    made = _pairs(seen, {n: i for n, i in identity.items() if i >= 0})
    missed = [
        (a, b)
        for a, b in true
        if identity[a.number] != identity[b.number] or identity[a.number] < 0
    ]
    wrong = [pair for pair in made if pair[0].person != pair[1].person]
    impure = _impure(scene)
    alike = _likeness(seen, crops)
    causes = Counter(_cause(pair, identity, impure, alike) for pair in missed)
    return {
        "links": len(true),
        "right": 1 - len(missed) / max(len(true), 1),
        "wrong": len(wrong) / max(len(made), 1),
        "wrong_per_person": len(wrong) / len({visit.person for visit in seen}),
        **{f"missed_{cause}": causes[cause] for cause in ("impure", "alike", "taken", "alone")},
    }


def _pairs(seen: list[Visit], name: Mapping[int, int]) -> list[tuple[Visit, Visit]]:
    """Visits of one name that follow one another."""
    by_name: dict[int, list[Visit]] = defaultdict(list)
    for visit in seen:
        if visit.number in name:
            by_name[name[visit.number]].append(visit)
    return [pair for visits in by_name.values() for pair in pairwise(visits)]


def _cause(
    pair: tuple[Visit, Visit],
    identity: Mapping[int, int],
    impure: set[int],
    alike: Mapping[tuple[int, int], bool],
) -> str:
    """Why a link was missed: a track shows two people; another person is more similar to the later
    visit; or, although none is, the later visit has the id of another, or one of its own."""
    earlier, later = pair
    if {earlier.number, later.number} & impure:
        return "impure"
    if not alike[earlier.number, later.number]:
        return "alike"
    others = [n for n, i in identity.items() if i == identity[later.number] and n != later.number]
    return "taken" if others else "alone"


def _impure(scene: Scene) -> set[int]:
    found: set[int] = set()
    for track in scene.tracks:
        owner = _whose(track)
        other = sum(p.end - p.start for p in track.pieces if p.visit.person != owner.person)
        if other > _IMPURE * (track.end - track.start):
            found |= {piece.visit.number for piece in track.pieces}
    return found


def _whose(track: Track) -> Visit:
    return max(track.pieces, key=lambda piece: piece.end - piece.start).visit


def _likeness(seen: list[Visit], crops: Crops) -> dict[tuple[int, int], bool]:
    """Whether no other person seen before is more similar to the later of two visits."""
    means = np.stack([crops.vectors[list(visit.rows)].mean(axis=0) for visit in seen])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    people = np.array([visit.person for visit in seen])
    starts = np.array([visit.start for visit in seen])
    found = {}
    for row, later in enumerate(seen):
        cosines = means @ means[row]
        others = cosines[(people != later.person) & (starts <= later.start)]
        for column in np.flatnonzero((people == later.person) & (starts < later.start)):
            best = cosines[column] > others.max(initial=-1.0)
            found[seen[column].number, later.number] = bool(best)
    return found
