"""Corrections for a program or a notebook: `Run.correct`."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from pipeline.corrections.request import correct_run
from pipeline.run_directory.corrections import names_in, read_corrections
from pipeline.user import user_name
from trackers.association.corrections import Correction


class Editor:
    """Corrects who is who in the run directory ``folder``, also while its site is running.

    Corrections are made in the name of ``by``. Every method returns what was made, with its number
    and its changes, and raises UserError for what cannot be made: it says what was expected, or
    what has happened meanwhile.
    """

    def __init__(self, folder: Path, by: str | None = None) -> None:
        self._folder = folder
        self._by = by or user_name()

    def merge(self, global_id: int, into: int, *, anyway: bool = False) -> Correction:
        """``global_id`` is the same person as ``into``, who keeps the id.

        With ``anyway`` although both were seen in one camera at one time.
        """
        return self._make(Correction("merge", global_id=global_id, into=into, anyway=anyway))

    def split(
        self, global_id: int, at: float | datetime, *, camera: str | None = None
    ) -> Correction:
        """What ``global_id`` is from ``at`` on (seconds UTC) is a new person, ``new_id``.

        With ``camera`` only what that camera saw.
        """
        moment = at.timestamp() if isinstance(at, datetime) else at
        wanted = Correction("split", global_id=global_id, moment=moment, camera_id=camera)
        return self._make(wanted)

    def move(
        self, camera: str, track: int, to: int | None = None, *, since: float | None = None
    ) -> Correction:
        """A track is the person ``to``, or a new one.

        Of a track that shows several people it is the part that begins ``since``, seconds UTC.
        """
        wanted = Correction("move", camera_id=camera, track_id=track, since=since, to=to)
        return self._make(wanted)

    def name(self, global_id: int, name: str) -> Correction:
        """``global_id`` is called ``name``; an empty one removes the name."""
        return self._make(Correction("name", global_id=global_id, name=name))

    def undo(self, number: int) -> Correction:
        """Take back the correction ``number``, and nothing else."""
        return self._make(Correction("undo", undoes=number))

    def history(self) -> Sequence[Correction]:
        """All corrections, oldest first, without those of people who were forgotten."""
        return read_corrections(self._folder).history

    def names(self) -> dict[int, str]:
        """The names of people, by global id."""
        return names_in(self._folder)

    def _make(self, wanted: Correction) -> Correction:
        return correct_run(self._folder, replace(wanted, by=self._by))
