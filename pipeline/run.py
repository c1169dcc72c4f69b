"""A run as a program or a notebook sees it: its visits, its pictures, and a search in it."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from pipeline.errors import UserError, unknown_name
from pipeline.run_directory.reader import RunDirectory, no_trajectories

if TYPE_CHECKING:
    import supervision
    from matplotlib.figure import Figure

    from pipeline.analytics.statistics import Statistics
    from pipeline.corrections.editor import Editor
    from pipeline.search.found import SearchResult


class Run(RunDirectory):
    """A run directory, or the part of it in ``selection``, with what a notebook asks of it.

    Everything else is as of a `RunDirectory`.

    Example:
        >>> run = fusetrack.Run("runs/monday")
        >>> run.visits()  # a polars table
        >>> run.plot_timeline()  # a figure of matplotlib
    """

    __slots__ = ()

    def visits(self, *, gap_s: float = 2.0) -> pl.DataFrame:
        """One row for each stay of a person: in the view of a camera, in a zone, on the site.

        Columns: kind (camera, zone or site), place, global_id, start and end (seconds UTC),
        seconds; ordered by the first four. A visit ends when the person is not seen there for over
        ``gap_s`` seconds. Tracks without a global id are in no row. Zones are those of the
        configuration of the run. Raises UserError when a file is damaged.
        """
        return self.statistics(gap_s=gap_s).visits

    def transitions(self, *, gap_s: float = 2.0) -> pl.DataFrame:
        """One row each time a person went from one camera to another, or between zones.

        Columns: kind, global_id, origin, destination, left and entered (seconds UTC), seconds (on
        the way, 0 where both saw the person), overlap_s. See `visits` for ``gap_s``.
        """
        return self.statistics(gap_s=gap_s).transitions

    def statistics(self, *, gap_s: float = 2.0, every_s: float = 60.0) -> "Statistics":
        """Everything that `fusetrack stats` counts; ``every_s`` is the span of the occupancy."""
        from pipeline.analytics.statistics import statistics_of
        from pipeline.config.load import check_config

        config = check_config(self.config(), str(self.path / "config.yaml"))
        return statistics_of(self, config, gap_s=gap_s, every_s=every_s)

    def detections(self, camera: str, frame: int) -> "supervision.Detections":
        """The people in one frame of a camera, counted from 0, for the library supervision.

        ``tracker_id`` is the global id, -1 where it is not known; ``data`` has ``track_id`` and
        ``identity_confidence``. Empty when the frame shows nobody. Raises UserError for a camera
        or frame that the run does not have.
        """
        from pipeline.pictures.supervised import as_supervision

        self._check_frame(camera, frame)
        rows = self.chunks(camera, frame, frame) if camera in self.observed() else ()
        table = pl.concat([no_trajectories(), *rows])
        return as_supervision(
            table.select("x1", "y1", "x2", "y2").to_numpy(),
            table["score"].to_numpy(),
            table["track_id"].to_numpy(),
            table["global_id"].to_list(),
            table["confidence"].fill_null(np.nan).to_numpy(),
        )

    def search(
        self,
        text: str | None = None,
        image: str | Path | None = None,
        *,
        person: int | None = None,
        top: int = 20,
        threshold: float = 0.5,
        model: str | None = None,
    ) -> "SearchResult":
        """The people who fit a description, look like the person of a picture, or both.

        ``person`` chooses one of several in the picture, counted from the left (0: all of it). Who
        has at least the probability ``threshold`` is ``found``, the likeliest first. ``model``
        names the ReID network of a run that does not name its own. Each search is logged in the
        run directory. Raises UserError for what cannot be searched, or is declined.

        Example:
            >>> for person in Run("runs/monday").search("red jacket, backpack").found:
            ...     print(person.global_id, person.probability, person.cameras)
        """
        from pipeline.search import search_log
        from pipeline.search.query_picture import read_file
        from pipeline.search.search import Request, models_of, search

        picture = None if image is None else read_file(Path(image))
        request = Request(text, picture, str(image), person, top, threshold)
        asker = search_log.user("python")
        return search(self, request, models_of(self, model), asker, assume_model=model is not None)

    @property
    def correct(self) -> "Editor":
        """Corrects who is who: ``run.correct.merge(7, into=3)``, ``split``, ``move``, ``name`` and
        ``undo``; ``history`` and ``names`` say what was corrected.

        Example:
            >>> run = fusetrack.Run("runs/monday")
            >>> made = run.correct.merge(7, into=3)
            >>> run.correct.undo(made.number)
        """
        from pipeline.corrections.editor import Editor

        return Editor(self.path)

    def plot_timeline(self) -> "Figure":
        """When each person was in the view of which camera: one row a person, in their colour."""
        from pipeline.report.plots import timeline

        return timeline(self.visits())

    def plot_occupancy(self, *, every_s: float = 1.0) -> "Figure":
        """How many people were at once in each camera, in spans of ``every_s`` seconds."""
        from pipeline.report.plots import occupancy

        return occupancy(self.statistics(every_s=every_s))

    def plot_ground(self) -> "Figure":
        """The paths of the people on the ground, in metres.

        Raises UserError when no camera of the run is calibrated.
        """
        from pipeline.report.plots import ground

        if not self.has_ground():
            raise UserError(f"{self.path} has no places on the ground: no camera is calibrated")
        return ground(self)

    def report(self, out: str | Path | None = None) -> Path:
        """Write the report page to ``out`` (by default RUN/report.html) and return its path."""
        from pipeline.report import write_report

        return write_report(self, None if out is None else Path(out))

    def _repr_html_(self) -> str:
        from pipeline.report.notebook import overview

        return overview(self)

    def _check_frame(self, camera: str, frame: int) -> None:
        records = {record.camera_id: record for record in self.cameras()}
        if camera not in {*records, *self.observed()}:
            raise unknown_name("camera", camera, {*records, *self.observed()})
        frames = self.last_frame(camera) + 1
        if camera in records:
            frames = max(frames, records[camera].frames)
        if not 0 <= frame < frames:
            raise UserError(
                f"camera {camera} has no frame {frame}: expected 0 to {frames - 1}"
                if frames
                else f"camera {camera} has no frames yet"
            )
