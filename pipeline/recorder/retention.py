"""Removes data that is older than the site's retention limits.

Ages are measured on the clock of each camera, that of its frames, so the same recording loses the
same rows whenever and however fast it is processed. While a live camera has no new frames, and
after a run has ended, wall-clock time is added. A clock that is in the future ages only the rows
that are in the future too. Rows of a time to come that the clock no longer shows age from when
their file was written.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.config.schema import RetentionConfig
from pipeline.errors import UserError
from pipeline.recorder.camera_times import CameraTimes
from pipeline.run_directory import schema
from pipeline.run_directory.corrections import read_corrections, write_corrections
from pipeline.run_directory.layout import check_contained, contained, observation_folders
from pipeline.run_directory.progress import read_cameras
from pipeline.run_directory.rewriting import Removed, remove, remove_all, remove_derived, rewrite
from pipeline.run_directory.row_groups import read, row_groups
from pipeline.run_directory.segments import segments

# Tolerated delay of a removal: as a fraction of the shortest limit, and at most in seconds. A file
# of a day is rewritten for it.
_LATE, _MOST_LATE_S = 0.05, 3600.0

Times = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Retention:
    """Removes data older than ``config`` allows from the run directory ``folder``."""

    def __init__(
        self, folder: Path, config: RetentionConfig, alive: Callable[[], None] = lambda: None
    ) -> None:
        self._folder = folder
        self._config = config
        self._alive = alive
        # When each segment has to be checked again, on the clock of each camera that it is about.
        self._due: dict[Path, dict[str, float]] = {}
        self._checked: dict[str, float] = {}
        #: Why some expired data is still there, after the last `remove`.
        self.faults: list[str] = []

    def remove_when_due(self, now: CameraTimes) -> Removed:
        """Call `remove` if the tolerated delay has passed on any camera since the last call."""
        shortest = self._config.shortest_s
        if shortest is None:
            return Counter()
        step = min(_LATE * shortest, _MOST_LATE_S)
        last = self._checked
        # A clock may also be set back.
        if not any(abs(time - last.get(c, np.inf)) >= step for c, time in now.own.items()):
            return Counter()
        self._checked = dict(now.own)
        return self.remove(now)

    def remove(self, now: CameraTimes) -> Removed:
        """Remove what has expired at ``now``; returns what was removed.

        After a crash it can be called again and removes the rest. If any rows were removed, the
        report and exports made from them are deleted too. A damaged segment, and one with a name
        that leads out of the run directory, stays as it is and is named in ``faults``. Raises
        OSError, and UserError when a folder of the run directory leads out of it.
        """
        self.faults = []
        check_contained(self._folder)
        config = self._config
        removed: Removed = Counter()
        if config.observations_s is not None:
            removed["observations"] = self._observations(now, config.observations_s)
        if config.identities_s is not None:
            removed["identity events"] = self._identities(now, config.identities_s)
            if removed["identity events"]:
                removed["corrections"] = _corrections(self._folder)
        removed += self._tracklets(now)
        if config.video_s is not None:
            removed["videos"] += self._videos(now, config.video_s)
        removed = +removed
        return removed + remove_derived(self._folder) if removed else removed

    def _observations(self, now: CameraTimes, limit_s: float) -> int:
        count = 0
        for camera_id, folder in observation_folders(self._folder).items():

            def cameras(rows: pa.Table, camera_id: str = camera_id) -> pa.DictionaryArray:
                indices = pa.array(np.zeros(len(rows), np.int32))
                return pa.DictionaryArray.from_arrays(indices, pa.array([camera_id]))

            count += self._rows(folder, schema.OBSERVATIONS, cameras, "timestamp", now, limit_s)
        return count

    def _identities(self, now: CameraTimes, limit_s: float) -> int:
        folder = self._folder / "identities"
        return self._rows(folder, schema.IDENTITIES, _cameras, "at", now, limit_s)

    def _rows(
        self,
        folder: Path,
        columns: pa.Schema,
        cameras: Callable[[pa.Table], pa.DictionaryArray],
        time: str,
        now: CameraTimes,
        limit_s: float,
    ) -> int:
        def change(rows: pa.Table, now: CameraTimes) -> pa.Table:
            return _without(rows, now.expired(cameras(rows), _times(rows, time), limit_s))

        def expiry(rows: pa.Table, now: CameraTimes) -> dict[str, float]:
            of = cameras(rows)
            return _earliest(of, now.judged(of, _times(rows, time)) + limit_s)

        return self._sweep(folder, columns, change, expiry, now)

    def _tracklets(self, now: CameraTimes) -> Removed:
        """Remove tracklets with their thumbnails; thumbnails may expire earlier."""
        rows_s = _seconds(self._config.tracklets_s)
        pictures_s = min(_seconds(self._config.thumbnails_s), rows_s)
        removed: Removed = Counter()
        if np.isinf(pictures_s):
            return removed

        def change(rows: pa.Table, now: CameraTimes) -> pa.Table:
            ends, cameras = _times(rows, "end"), _cameras(rows)
            pictured = ~np.asarray(rows["thumbnail"].is_null())
            faded = pictured & now.expired(cameras, ends, pictures_s)
            names = rows["thumbnail"].filter(pa.array(faded)).to_pylist()
            # Files first: a row without its file is harmless, a file without a row stays forever.
            removed["thumbnails"] += remove_all(contained(self._folder, name) for name in names)
            return _without(_without_pictures(rows, faded), now.expired(cameras, ends, rows_s))

        def expiry(rows: pa.Table, now: CameraTimes) -> dict[str, float]:
            pictured, cameras = ~np.asarray(rows["thumbnail"].is_null()), _cameras(rows)
            limits = np.where(pictured, pictures_s, rows_s)
            return _earliest(cameras, now.judged(cameras, _times(rows, "end")) + limits)

        folder = self._folder / "tracklets"
        removed["tracklets"] += self._sweep(folder, schema.TRACKLETS, change, expiry, now)
        return removed

    def _sweep(
        self,
        folder: Path,
        columns: pa.Schema,
        change: Callable[[pa.Table, CameraTimes], pa.Table],
        expiry: Callable[[pa.Table, CameraTimes], dict[str, float]],
        now: CameraTimes,
    ) -> int:
        """Rewrite the segments with expired rows; returns the number of removed rows.

        ``expiry`` returns when the first of the remaining rows expire, on the clock of each camera.
        """
        count = 0
        closed = segments(folder)
        for path in closed:
            due = self._due.get(path)
            if due is not None and all(now.of(camera) <= at for camera, at in due.items()):
                continue
            coming: dict[str, float] = {}
            here = replace(now, written=path.stat().st_mtime)

            def changed(
                rows: pa.Table, coming: dict[str, float] = coming, here: CameraTimes = here
            ) -> pa.Table:
                left = change(rows, here)
                for camera, at in expiry(left, here).items():
                    coming[camera] = min(at, coming.get(camera, np.inf))
                return left

            last = path == closed[-1]
            try:
                count += rewrite(path, columns, changed, last=last, alive=self._alive)
            except UserError as error:
                self._left(error)
                continue
            self._due[path] = coming
        existing = set(closed)
        for path in [p for p in self._due if p.parent == folder and p not in existing]:
            del self._due[path]
        return count

    def _videos(self, now: CameraTimes, limit_s: float) -> int:
        ended = [
            camera.camera_id
            for camera in read_cameras(self._folder)
            if camera.frames and camera.end < now.at(camera.camera_id, camera.end) - limit_s
        ]
        count = 0
        for name in ended:
            try:
                count += remove(contained(self._folder, f"video/{name}.mp4"))
            except UserError as error:
                self._left(error)
        return count

    def _left(self, error: UserError) -> None:
        self.faults.append(f"{error}. Its expired data was not removed")


def _corrections(folder: Path) -> int:
    """Remove the corrections, with the names, of people of whom no event is left."""
    before = read_corrections(folder)
    if not before.history:
        return 0
    groups = row_groups(folder / "identities")
    left = set(read(groups, schema.IDENTITIES, ["global_id"])["global_id"].unique())
    after = before
    for gone in {one for made in before.history for one in made.people} - left:
        after = after.without_person(gone, [])
    if after != before:
        write_corrections(folder, after)
    return len(before.history) - len(after.history)


def _cameras(rows: pa.Table) -> pa.DictionaryArray:
    return rows["camera_id"].combine_chunks().dictionary_encode()


def _earliest(cameras: pa.DictionaryArray, times: Times) -> dict[str, float]:
    """The least of the ``times`` ``(N,)`` of each camera."""
    indices = np.asarray(cameras.indices.to_numpy(zero_copy_only=False))
    found = {}
    for index, name in enumerate(cameras.dictionary.to_pylist()):
        found[name] = float(times[indices == index].min(initial=np.inf))
    return found


def _seconds(given: float | None) -> float:
    return np.inf if given is None else given


def _times(table: pa.Table, column: str) -> Times:
    return np.asarray(table[column].to_numpy(), np.float64)


def _without(table: pa.Table, old: NDArray[np.bool_]) -> pa.Table:
    return table.filter(pa.array(~old)) if old.any() else table


def _without_pictures(table: pa.Table, faded: NDArray[np.bool_]) -> pa.Table:
    if not faded.any():
        return table
    column = table.schema.get_field_index("thumbnail")
    left = pc.if_else(pa.array(faded), pa.scalar(None, pa.string()), table["thumbnail"])
    return table.set_column(column, table.schema.field(column), left)
