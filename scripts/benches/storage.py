"""Reading a run directory of 20 cameras and a month, as the recorder leaves it.

The run directory is simulated: people walk past the cameras, ten rows a second, in files of a day
(`--busy` rows a camera-day where cameras are never empty, `--calm` over the month). One hour of a
camera is also compacted from its segments of five seconds. Each command runs as a
process of its own; its processor seconds tell the cost on a machine that has other work, its memory
is the greatest resident size.
"""

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from pipeline.api.archive import Archive, path_answer, stays_of
from pipeline.api.map import heat_between
from pipeline.api.recent_people import RecentPeople
from pipeline.api.recorded import RecordedSite
from pipeline.api.review import Wanted, events_of
from pipeline.config.schema import SiteConfig
from pipeline.run_directory.compaction import SIZES, compact, due
from pipeline.run_directory.layout import observations_of, write_version
from pipeline.run_directory.progress import write_cameras
from pipeline.run_directory.schema import (
    IDENTITIES,
    OBSERVATIONS,
    TRACKLETS,
    CameraRecord,
    conform,
)
from pipeline.run_directory.segments import name_of, write_tables
from printing import show

DAY_S, FPS, VISIT_S, SEGMENT_S = 86_400, 10, 60, 5
DAY_SEGMENTS = SIZES[-1]
START = 1_788_000_000 // DAY_S * DAY_S
EMBEDDING = 256
COLUMNS = ("s", "cpu_s", "mb")


@dataclass(frozen=True)
class SimulatedSite:
    """What is simulated: ``cameras`` for ``days`` with ``rows`` in each camera and day."""

    cameras: int
    days: int
    rows: int

    @property
    def visits(self) -> int:
        """The tracks of a camera and day."""
        return self.rows // (VISIT_S * FPS)


def camera_name(number: int) -> str:
    """The name of a camera."""
    return f"cam{number:02}"


def visits_of(
    site: SimulatedSite, day: int, camera: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Track ids, starts (seconds UTC, sorted) and global ids of a camera and day.

    A person walks past three cameras in a day.
    """
    chance = np.random.default_rng((day, camera))
    count = site.visits
    starts = np.sort(chance.integers(0, DAY_S - VISIT_S, count)) + START + day * DAY_S
    people = np.arange(count) + (day * (site.cameras // 3 + 1) + camera // 3) * count + 1
    return np.arange(count) + day * count + 1, starts.astype(np.float64), people


def observations(site: SimulatedSite, day: int, camera: int) -> pa.Table:
    """The rows of a camera and day, by frame and track."""
    tracks, starts, _ = visits_of(site, day, camera)
    chance = np.random.default_rng((day, camera, 1))
    frames = np.arange(VISIT_S * FPS)
    index = ((starts - START) * FPS).astype(np.int64)[:, None] + frames
    left = chance.uniform(0, 1800, (len(tracks), 1)) + 0.2 * frames
    rows = index.size
    left = left.reshape(-1) + chance.normal(0, 1, rows)
    top = chance.normal(300, 3, rows)
    table = pa.table(
        {
            "frame_index": index.reshape(-1),
            "timestamp": START + index.reshape(-1) / FPS,
            "track_id": np.repeat(tracks, len(frames)),
            "x1": left.astype(np.float32),
            "y1": top.astype(np.float32),
            "x2": (left + 80).astype(np.float32),
            "y2": (top + 220).astype(np.float32),
            "score": chance.uniform(0.5, 1, rows).astype(np.float32),
            "ground_x": (left / 100).round(3),
            "ground_y": (top / 100).round(3),
            "frame_width": np.full(rows, 1920, np.int32),
            "frame_height": np.full(rows, 1080, np.int32),
        }
    )
    order = [("frame_index", "ascending"), ("track_id", "ascending")]
    return conform(table, OBSERVATIONS).sort_by(order)


def tables_of_day(site: SimulatedSite, day: int) -> tuple[pa.Table, pa.Table]:
    """Tracklets and identities of all cameras on a day."""
    chance = np.random.default_rng((day, 2))
    tracklets, identities = [], []
    for camera in range(site.cameras):
        tracks, starts, people = visits_of(site, day, camera)
        names, count = [camera_name(camera)] * len(tracks), len(tracks)
        vectors = chance.normal(0, 1 / 16, count * EMBEDDING).astype(np.float32)
        offsets = np.arange(count + 1, dtype=np.int32) * EMBEDDING
        ends = starts + VISIT_S
        tracklets.append(
            pa.table(
                {
                    "camera_id": names,
                    "track_id": tracks,
                    "start": starts,
                    "end": ends,
                    "n": np.full(count, VISIT_S * FPS),
                    "embedding": pa.ListArray.from_arrays(offsets, vectors),
                    "quality": chance.uniform(0, 1, count).astype(np.float32),
                    "thumbnail": pa.nulls(count, pa.string()),
                }
            )
        )
        identities.append(
            pa.table(
                {
                    "camera_id": names,
                    "track_id": tracks,
                    "global_id": people,
                    "confidence": chance.uniform(0.6, 1, count).astype(np.float32),
                    "kind": ["assigned"] * count,
                    "reason": ["same person as before, by appearance and time"] * count,
                    "at": ends,
                    "since": pa.nulls(count, pa.float64()),
                    "state": ["confirmed"] * count,
                }
            )
        )
    log = pa.concat_tables(identities).sort_by("at")
    return conform(pa.concat_tables(tracklets), TRACKLETS), conform(log, IDENTITIES)


def simulate(root: Path, site: SimulatedSite) -> Path:
    """Write the run directory as the recorder leaves it: a file a day for each table."""
    root.mkdir()
    (root / "config.yaml").write_text("site: bench\n")
    write_version(root)
    end = START + site.days * DAY_S
    cameras = [record(camera, site.days * DAY_S * FPS, end) for camera in range(site.cameras)]
    write_cameras(root, cameras)
    for day in range(site.days):
        for camera in range(site.cameras):
            folder = observations_of(root, camera_name(camera))
            write_day(folder, OBSERVATIONS, observations(site, day, camera), day)
        tracklets, identities = tables_of_day(site, day)
        write_day(root / "tracklets", TRACKLETS, tracklets, day)
        write_day(root / "identities", IDENTITIES, identities, day)
    return root


def record(camera: int, frames: int, end: float) -> CameraRecord:
    """The record of a camera that followed the whole time."""
    return CameraRecord(
        camera_id=camera_name(camera),
        source="rtsp://camera",
        width=1920,
        height=1080,
        fps=FPS,
        frames=frames,
        start=START,
        end=end,
        timestamp_origin="rtcp",
        state="complete",
    )


def write_day(folder: Path, schema: pa.Schema, table: pa.Table, day: int) -> None:
    """Write a table as the file of a day."""
    folder.mkdir(parents=True, exist_ok=True)
    first = day * DAY_SEGMENTS
    write_tables(folder / name_of(first, first + DAY_SEGMENTS - 1), schema, "{}", [table])


def in_segments(folder: Path) -> int:
    """Write the first hour of the first day's rows as segments; returns their number."""
    (day,) = folder.iterdir()
    table = pq.read_table(day, partitioning=None)
    number = ((table["timestamp"].to_numpy() - START) // SEGMENT_S).astype(int)
    day.unlink()
    hour = SIZES[-2]
    edges = np.searchsorted(number, np.arange(hour + 1))
    for segment in range(hour):
        # Without syncing to disk, which is no part of the question.
        rows = table.slice(edges[segment], edges[segment + 1] - edges[segment])
        pq.write_table(rows, folder / name_of(segment), compression="zstd")
    return hour


def truth_of(root: Path, site: SimulatedSite, cameras: int) -> Path:
    """MOT files of the first ``cameras``: the same boxes, two pixels aside, by global id."""
    root.mkdir()
    for camera in range(cameras):
        with (root / f"{camera_name(camera)}.txt").open("wb") as file:
            for day in range(site.days):
                rows = observations(site, day, camera)
                people = visits_of(site, day, camera)[2]
                ids = people[rows["track_id"].to_numpy() - day * site.visits - 1]
                columns = [rows["frame_index"].to_numpy() + 1, ids]
                columns += [rows["x1"].to_numpy().round(1) + 2, rows["y1"].to_numpy().round(1)]
                columns += [np.full(len(rows), 80), np.full(len(rows), 220)]
                names = list("fixywh")
                csv.write_csv(
                    pa.table(columns, names), file, csv.WriteOptions(include_header=False)
                )
    return root


def timed(work: Callable[[], object]) -> dict[str, float]:
    """Seconds on the wall and of the processor of this process."""
    wall, used = time.perf_counter(), time.process_time()
    work()
    return {"s": time.perf_counter() - wall, "cpu_s": time.process_time() - used}


def command(*arguments: object) -> dict[str, float]:
    """The same of a `fusetrack` command in a process of its own, and its memory in MB."""
    line = [sys.executable, "-m", "fusetrack", *map(str, arguments)]
    began = time.perf_counter()
    with subprocess.Popen(line, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(line)} ended with {process.returncode}")
    wall = time.perf_counter() - began
    return {"s": wall, "cpu_s": used.ru_utime + used.ru_stime, "mb": used.ru_maxrss / 1024}


def compacted(folder: Path) -> None:
    """Compact a folder of observations as the recorder does."""
    while blocks := due(folder):
        for paths in blocks:
            compact(paths, OBSERVATIONS)


def path_queries(root: Path, site: SimulatedSite, count: int) -> list[dict[str, float]]:
    """What queries for the paths of ``count`` people of the month take, as the API makes them."""
    archive, recent = Archive(root), RecentPeople(0.0).tables()
    chance, took = random.Random(1), []
    for _ in range(count):
        day, camera = chance.randrange(site.days), chance.randrange(site.cameras)
        person = int(chance.choice(visits_of(site, day, camera)[2]))

        def query(person: int = person) -> None:
            stays = stays_of(person, recent, archive)
            answer = path_answer(person, stays, recent, archive, -np.inf, np.inf, 1000)
            assert len(answer.points) >= VISIT_S * FPS

        took.append(timed(query))
    return took


def console_queries(root: Path, month: SimulatedSite) -> Iterator[tuple[str, dict[str, float]]]:
    """What the map and the review of the console take, for the second time."""
    gate = {"camera": camera_name(0), "points": [[300, 100], [900, 100], [900, 900], [300, 900]]}
    shop = {"points": [[2, 2], [9, 2], [9, 8], [2, 8]]}
    door = {"camera": camera_name(1), "points": [[900, 0], [900, 1000]]}
    values = {"zones": {"gate": gate, "shop": shop}, "lines": {"door": door}}
    site = RecordedSite(SiteConfig.model_validate(values), Archive(root))
    end = START + month.days * DAY_S

    def heat() -> None:
        assert heat_between(site, end - DAY_S, end, 0.5).seconds

    def review() -> None:
        assert len(events_of(site.config, Archive(root), Wanted(), 100).events) >= 100

    for name, query in (("the heat map of its last day", heat), ("the latest to review", review)):
        query()
        yield name, timed(query)


def middle(took: list[dict[str, float]]) -> dict[str, float]:
    """The median of each figure."""
    return {name: statistics.median(one[name] for one in took) for name in took[0]}


def measure(
    scratch: Path, cameras: int, days: int, busy: int, calm: int
) -> Iterator[tuple[str, dict[str, float]]]:
    """All figures, by what was done, as they are found."""
    one = simulate(scratch / "one", SimulatedSite(1, 1, busy))
    yield "a camera-day summarised", command("summary", one)
    folder = observations_of(one, camera_name(0))
    segments = in_segments(folder)
    yield "an hour of a camera summarised, in segments", command("summary", one)
    yield f"its {segments} segments compacted", timed(lambda: compacted(folder))
    yield "an hour of a camera summarised", command("summary", one)
    day = simulate(scratch / "day", SimulatedSite(cameras, 1, busy))
    for format in ("csv", "parquet"):
        out = scratch / f"day.{format}"
        options = ("--format", format, "--out", out)
        yield f"{cameras} camera-days exported to {format}", command("export", day, *options)
        out.unlink()
    day_truth = truth_of(scratch / "truth", SimulatedSite(cameras, 1, busy), 1)
    yield (
        "a camera-day evaluated",
        command("evaluate", day, "--ground-truth", day_truth, "--camera", camera_name(0), "--json"),
    )
    yield from of_month(scratch, SimulatedSite(cameras, days, calm))


def of_month(scratch: Path, month: SimulatedSite) -> Iterator[tuple[str, dict[str, float]]]:
    """The figures of a month; what takes longest comes last."""
    root = simulate(scratch / "month", month)
    name = f"{month.cameras} cameras, {month.days} days"
    yield f"{name}: summary", command("summary", root)
    since = START + (month.days - 1) * DAY_S
    only = ("--camera", camera_name(0), "--since", since)
    yield "a day of one camera of it exported", command("export", root, "--format", "csv", *only)
    first, *rest = path_queries(root, month, 31)
    yield "a path in it, first query", first
    yield "a path in it, median of 30", middle(rest)
    yield "a path in it, slowest of 30", max(rest, key=lambda one: one["s"])
    yield from console_queries(root, month)
    person = int(visits_of(month, month.days // 2, 0)[2][0])
    yield "a person of it forgotten", command("forget", root, "--identity", person)
    yield f"{name}: report", command("report", root)
    yield "the size of its page", {"mb": (root / "report.html").stat().st_size / 1e6}
    judged = min(3, month.cameras)
    truth = truth_of(scratch / "month-truth", month, judged)
    yield (
        f"{judged} cameras of {month.days} days evaluated",
        command("evaluate", root, "--ground-truth", truth, "--json"),
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cameras", type=int, default=20)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--busy", type=int, default=864_000, help="rows of a busy camera-day")
    parser.add_argument("--calm", type=int, default=86_400, help="rows of one of the month")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = {}
        for name, figures in measure(
            Path(folder), options.cameras, options.days, options.busy, options.calm
        ):
            row = {c: round(figures[c], 2) if c in figures else "" for c in COLUMNS}
            # It takes long, and what was found is not lost when it is stopped.
            print(name, row, file=sys.stderr, flush=True)
            table[name] = row
    show(table, "run directory", COLUMNS, as_json=options.json)


if __name__ == "__main__":
    main()
