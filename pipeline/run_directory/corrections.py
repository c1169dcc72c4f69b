"""RUN/corrections.json: what people corrected in a run, and the names that they gave."""

import dataclasses
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

import msgspec
import polars as pl

from pipeline.run_directory.durable import read_value
from pipeline.run_directory.schema import TrackPart
from reid_model.atomic_file import replacing
from trackers.association import corrections
from trackers.association.corrections import Correction
from trackers.tracklet import TrackletKey

_NAME = "corrections.json"


class Corrections(msgspec.Struct, frozen=True, omit_defaults=True):
    """All corrections of a run, in order, and the number of the ``last`` one that was made.

    Those of people who were forgotten are gone; their numbers are not used again, nor are global
    ids up to ``forgotten_id``, the highest of a person who was forgotten. ``pending`` are
    corrections of which the identity events may not be written.
    """

    history: tuple[Correction, ...] = ()
    last: int = 0
    pending: tuple[int, ...] = ()
    forgotten_id: int = 0

    def with_correction(self, correction: Correction, *, pending: bool) -> "Corrections":
        """These and one more; the same when it is there already."""
        if correction.number <= self.last:
            return self
        waiting = (*self.pending, correction.number) if pending else self.pending
        return msgspec.structs.replace(
            self,
            history=(*self.history, correction),
            last=correction.number,
            pending=waiting,
        )

    def without_person(self, global_id: int, parts: Iterable[TrackPart]) -> "Corrections":
        """What is left once a person is forgotten, whose ``parts`` of tracks these are."""
        keys = {part.key for part in parts}
        kept = [c for c in self.history if global_id not in c.people]
        numbers = {correction.number for correction in kept}
        left = [_without_tracks(c, keys) for c in kept if c.undoes is None or c.undoes in numbers]
        highest = max(self.forgotten_id, global_id)
        return msgspec.structs.replace(self, history=tuple(left), forgotten_id=highest)


def _without_tracks(correction: Correction, keys: set[TrackletKey]) -> Correction:
    changes = tuple(c for c in correction.changes if c.key[:2] not in keys)
    return dataclasses.replace(correction, changes=changes)


def read_corrections(folder: Path) -> Corrections:
    """The corrections of the run directory ``folder``. Raises UserError when they are damaged."""
    path = folder / _NAME
    try:
        found = path.stat()
    except FileNotFoundError:
        return Corrections()
    return _read(path, found.st_mtime_ns, found.st_ino)


@lru_cache(maxsize=4)
def _read(path: Path, *version: int) -> Corrections:
    """The API asks again and again."""
    return read_value(
        path,
        Corrections,
        "remove the file to go on without names and without undoing earlier corrections",
    )


def write_corrections(folder: Path, made: Corrections) -> None:
    """Write the corrections. Raises OSError and then leaves the file unchanged."""
    with replacing(folder / _NAME) as partial:
        partial.write_bytes(msgspec.json.encode(made))


def names_in(folder: Path) -> dict[int, str]:
    """The names of people in a run directory, by global id."""
    return corrections.names(read_corrections(folder).history)


def with_names(rows: pl.DataFrame, names: Mapping[int, str]) -> pl.DataFrame:
    """``rows`` with the ``name`` of each ``global_id``, null without one; as they are when nobody
    has a name.
    """
    if not names:
        return rows
    who = pl.col("global_id").replace_strict(names, default=None, return_dtype=pl.String)
    return rows.with_columns(name=who)
