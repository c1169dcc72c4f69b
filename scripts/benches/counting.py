"""Counts of `fusetrack stats`: on PETS 2009 S2.L1 against the annotation, and on a million rows.

Truth are crossings, visits and dwell of the annotated people of view 001, counted person by person
in a plain loop; nine of its names are people who came back (see bench pets). Counted is a run of
fusetrack with its defaults. The million observations are those of bench storage: ten rows a second
of a busy camera, with one zone and one line in the picture and one of each on the ground.
"""

import argparse
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import shapely

from pets import CAME_BACK, CAMERA
from pipeline.analytics.statistics import statistics_of
from pipeline.config.load import check_config
from pipeline.evaluation.ground_truth import read_ground_truth
from pipeline.run_directory.reader import RunDirectory
from pipeline.runtime.run import run_site
from pipeline.runtime.site_options import with_options
from printing import show
from storage import SimulatedSite, command, simulate

FPS, GAP_S = 10.0, 2.0  # those of the video file
LINE_X = 400.0
ZONE = [(250.0, 200.0), (550.0, 200.0), (550.0, 400.0), (250.0, 400.0)]
#: A person is on no side within this share of the height of the box.
MARGIN = 0.05
PLACES = {
    "zones": {"middle": {"camera": CAMERA, "points": ZONE}},
    "lines": {"middle": {"camera": CAMERA, "points": [(LINE_X, 0), (LINE_X, 576)]}},
}
MILLION = {
    "zones": {
        "picture": {"camera": "cam00", "points": [[400, 300], [1200, 300], [1200, 900]]},
        "ground": {"points": [[2, 1], [12, 1], [12, 9], [2, 9]]},
    },
    "lines": {
        "picture": {"camera": "cam00", "points": [[900, 0], [900, 1080]]},
        "ground": {"points": [[9, 0], [9, 10]]},
    },
}
Foot = tuple[float, float, float, float]


def counted(people: dict[int, list[Foot]]) -> dict[str, float]:
    """The counts of people of whom time, foot (pixels) and height of each box are known."""
    moves = Counter(way for feet in people.values() for way in _crossings(feet))
    visits = [visit for feet in people.values() for visit in _visits(feet)]
    return {
        "people": len(people),
        "to_left": moves["left"],
        "to_right": moves["right"],
        "zone_visits": len(visits),
        "zone_s": round(sum(end - start for start, end in visits), 1),
    }


def _crossings(feet: list[Foot]) -> Iterator[str]:
    side = seen = 0.0
    for time, x, _, height in feet:
        if time - seen > GAP_S:
            side = 0.0
        seen = time
        if abs(x - LINE_X) < MARGIN * height:
            continue
        now = 1.0 if x > LINE_X else -1.0
        if side and now != side:
            # From the upper end of the line to the lower, the left side is the right half.
            yield "left" if now > 0 else "right"
        side = now


def _visits(feet: list[Foot]) -> list[tuple[float, float]]:
    zone, found = shapely.Polygon(ZONE), list[tuple[float, float]]()
    for time, x, y, _ in feet:
        if not zone.intersects(shapely.Point(x, y)):
            continue
        if found and time - found[-1][1] <= GAP_S:
            found[-1] = found[-1][0], time
        else:
            found.append((time, time))
    return found


def feet_of(rows: pl.DataFrame, person: str) -> dict[int, list[Foot]]:
    """Time, foot and height of the boxes of each person."""
    columns = rows.sort("frame_index").select(
        person,
        pl.col("frame_index") / FPS,
        x=(pl.col("x1") + pl.col("x2")) / 2,
        y="y2",
        height=pl.col("y2") - pl.col("y1"),
    )
    found: dict[int, list[Foot]] = {}
    for who, *foot in columns.iter_rows():
        time, x, y, height = foot
        found.setdefault(who, []).append((time, x, y, height))
    return found


def pets(folder: Path, scratch: Path) -> dict[str, dict[str, float]]:
    """The counts of the annotation, and those of a run."""
    truth = read_ground_truth(folder / "PETS2009-S2L1.xml", [CAMERA])
    truth = truth.with_columns(pl.col("person_id").replace(CAME_BACK))
    config = with_options(check_config({}, "bench"), [str(folder / f"{CAMERA}.avi")], {})
    run = run_site(config, scratch / "run")
    found = statistics_of(run, check_config(PLACES, "bench"), gap_s=GAP_S)
    zone = found.visits.filter(kind="zone")
    times = {direction: count for _, direction, count, _ in found.lines.iter_rows()}
    people = found.places().filter(kind="site")["people"][0]
    return {
        "PETS view 001, annotation": counted(feet_of(truth, "person_id")),
        "PETS view 001, fusetrack": {
            "people": people,
            "to_left": times["left"],
            "to_right": times["right"],
            "zone_visits": zone.height,
            "zone_s": round(float(zone["seconds"].sum()), 1),
        },
    }


def million(scratch: Path, rows: int) -> dict[str, float]:
    """Seconds and memory of `fusetrack stats`, its start included."""
    root = simulate(scratch / "million", SimulatedSite(1, 1, rows))
    site = scratch / "site.yaml"
    site.write_text(str(MILLION))
    counts = RunDirectory(root).observations().height
    return {"rows": counts, **command("stats", root, "--config", site, "--out", scratch / "stats")}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    data = os.environ.get("FUSETRACK_DATA")
    if data is None:
        sys.exit("bench counting: set FUSETRACK_DATA to a folder that contains pets2009/")
    with tempfile.TemporaryDirectory() as folder:
        found = {f"{arguments.rows:,} observations": million(Path(folder), arguments.rows)}
        found |= pets(Path(data) / "pets2009", Path(folder))
    names = list(dict.fromkeys(name for row in found.values() for name in row))
    table = {row: {name: values.get(name, "") for name in names} for row, values in found.items()}
    show(table, "counting", names, as_json=arguments.json)


if __name__ == "__main__":
    main()
