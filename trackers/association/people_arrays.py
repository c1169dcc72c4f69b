"""The known people as rows of arrays, to compare a tracklet with many of them at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trackers.association.appearance import Population, Vector
from trackers.association.identity import Identity
from trackers.association.topology import Topology
from trackers.tracklet import Tracklet

_COLUMNS = np.dtype(
    [
        ("start", np.float64),
        ("end", np.float64),
        ("last_seen", np.float64),
        ("precision", np.float64),
        ("camera", np.intp),
        ("only_camera", np.intp),
    ]
)
_FIRST_ROWS = 64


@dataclass(frozen=True, slots=True, eq=False)
class KnownPeople:
    """``start`` and ``end`` ``(N,)`` are those of the last tracklet of each person, seconds UTC,
    and ``camera`` ``(N,)`` the number of its camera in a `Topology`; ``only_camera`` is that of
    the only one that saw the person, or -1. ``last_seen`` is as of an `Identity`.

    ``vectors`` ``(N, D)`` and ``precision`` are as of an `Appearance`; 0 without one.
    """

    start: NDArray[np.float64]
    end: NDArray[np.float64]
    last_seen: NDArray[np.float64]
    camera: NDArray[np.intp]
    only_camera: NDArray[np.intp]
    vectors: Vector
    precision: NDArray[np.float64]


class PeopleArrays:
    """Call `change` when a person has changed; what has is computed again when it is needed."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._row: dict[int, int] = {}
        self._free: list[int] = []
        self._changed: set[int] = set()
        self._columns = np.zeros(0, _COLUMNS)
        self._vectors = np.zeros((0, 0), np.float32)
        # That of the population with which the rows were computed.
        self._epoch = -1

    def change(self, global_id: int) -> None:
        """Note that a person is new, or has changed."""
        self._changed.add(global_id)

    def drop(self, global_id: int) -> None:
        """Remove a person."""
        self._changed.discard(global_id)
        row = self._row.pop(global_id, None)
        if row is not None:
            self._free.append(row)

    def of(
        self, people: Sequence[Identity], last: dict[int, Tracklet], population: Population
    ) -> KnownPeople:
        """These people; ``last`` is the last tracklet of each."""
        if self._epoch != population.epoch:
            self._changed.update(self._row)
            self._epoch = population.epoch
        for person in people:
            if person.global_id in self._changed:
                self._compute(person, last[person.global_id], population)
        rows = np.array([self._row[person.global_id] for person in people], np.intp)
        found = self._columns[rows]
        return KnownPeople(
            found["start"],
            found["end"],
            found["last_seen"],
            found["camera"],
            found["only_camera"],
            self._vectors[rows],
            found["precision"],
        )

    def _compute(self, person: Identity, last: Tracklet, population: Population) -> None:
        self._changed.discard(person.global_id)
        row = self._row_of(person.global_id)
        number = self._topology.number
        appearance = person.appearance(population)
        only = number(next(iter(person.cameras))) if len(person.cameras) == 1 else -1
        precision = 0.0 if appearance is None else appearance.precision
        self._columns[row] = (
            *(last.start, last.end, person.last_seen),
            *(precision, number(last.camera_id), only),
        )
        if appearance is not None:
            if not self._vectors.shape[1]:
                self._vectors = np.zeros((len(self._columns), len(appearance.vector)), np.float32)
            self._vectors[row] = appearance.vector

    def _row_of(self, global_id: int) -> int:
        row = self._row.get(global_id)
        if row is None:
            if not self._free:
                self._grow()
            row = self._row[global_id] = self._free.pop()
        return row

    def _grow(self) -> None:
        rows = len(self._columns)
        more = max(rows, _FIRST_ROWS)
        self._columns = np.concatenate([self._columns, np.zeros(more, _COLUMNS)])
        spare = np.zeros((more, self._vectors.shape[1]), np.float32)
        self._vectors = np.concatenate([self._vectors, spare])
        self._free += reversed(range(rows, rows + more))
