"""Ground truth on disk, sorted, so that a part of its frames can be read."""

from collections import defaultdict
from io import BytesIO
from pathlib import Path

import polars as pl

from pipeline.evaluation.boxes import SCHEMA, check_unique_ids
from pipeline.evaluation.ground_truth import ground_truth_parts

_GROUP_ROWS = 20_000


class TruthFiles:
    """The boxes of `ground_truth_parts`, in files in ``folder``.

    Raises UserError as it, and OSError when the folder is full.
    """

    def __init__(self, ground_truth: Path, camera_ids: list[str], folder: Path) -> None:
        self._origin = ground_truth
        # The files of a camera with their first and last frame.
        self._files: dict[str, list[tuple[Path, int, int]]] = defaultdict(list)
        for number, part in enumerate(ground_truth_parts(ground_truth, camera_ids)):
            for camera, rows in enumerate(part.partition_by("camera_id", maintain_order=True)):
                file, frames = folder / f"{number}-{camera}.parquet", rows.sort("frame_index")
                # Through memory, because polars has errors of its own for a full disk.
                data = BytesIO()
                frames.write_parquet(data, row_group_size=_GROUP_ROWS)
                file.write_bytes(data.getbuffer())
                first, last = frames["frame_index"][0], frames["frame_index"][-1]
                self._files[frames["camera_id"][0]].append((file, first, last))

    def last_frame(self, camera_id: str) -> int:
        """The index of the last frame with a box, -1 without any."""
        return max((last for _, _, last in self._files[camera_id]), default=-1)

    def frames(self, camera_id: str, first: int, last: int) -> pl.DataFrame:
        """The boxes of a camera in the frames ``first`` to ``last``, of ``boxes.SCHEMA``.

        Raises UserError when an id occurs twice in one frame.
        """
        wanted = pl.col("frame_index").is_between(first, last)
        parts = [
            pl.scan_parquet(file).filter(wanted)
            for file, start, end in self._files[camera_id]
            if start <= last and end >= first
        ]
        rows = pl.concat([SCHEMA.to_frame().lazy(), *parts]).collect()
        check_unique_ids(rows, str(self._origin))
        return rows
