"""What association costs as a site grows, on simulated people: 10 to 1,000 cameras.

Every size is a process of its own on one core, with 100 tracklets for each camera. Times are
processor time of the association alone: no Redis, no video. Tracklets a second counts tracks; each
is told of every second while it grows, and once more when it is closed. Latency is from the first
tracklet of a second to its last identity; memory is what the process grew by.

IDF1 is that of the ids as they were when the day was over, and after the finish, which takes one
solution over all tracklets that are not forgotten.

Fusetrack is given the walking times between the cameras of the site, or learns them while running.
The baseline is agglomerative clustering, every five seconds, of everything
of the last two minutes. It is left out above 300 cameras, where its distances take gigabytes.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from pipeline.associator.open import association_of
from pipeline.config.schema import ReidConfig, SiteConfig
from pipeline.reid.embedding import similarity_calibration
from simulation.clustering import Clustering
from simulation.people import people_of_a_day
from simulation.replay import AssociationUnderTest, idf1_of, replay
from simulation.site_graph import SiteGraph, make_site
from trackers.association.association import Association
from trackers.association.topology import Topology, topology_of

CAMERAS = (10, 30, 100, 300, 1000)
TRACKLETS_PER_CAMERA = 100
LONG = 10
MOST_CAMERAS_CLUSTERED = 300
# The network whose embeddings are simulated.
REID = "person-reidentification-retail-0286"
SEED = 4
COLUMNS = (
    *("tracklets_per_s", "p50_ms", "p99_ms", "memory_mb"),
    *("idf1", "idf1_finished", "finish_s"),
)
_COLOURS = ("tab:blue", "tab:purple", "tab:green", "tab:orange")

Row = dict[str, float]


def fusetrack(site: SiteGraph) -> Association:
    """The association as a run has it, with the walking times of the site."""
    rules = replace(
        association_of(SiteConfig()).rules,
        calibration=similarity_calibration(ReidConfig(model=REID)),
        topology=topology_of(site.walking_times()),
    )
    return Association(rules)


def learned_links(site: SiteGraph) -> Association:
    """Without given transitions between the cameras."""
    return Association(replace(fusetrack(site).rules, topology=Topology()))


def without_refinement(site: SiteGraph) -> Association:
    """Every decision stays as it was made."""
    return Association(replace(fusetrack(site).rules, refine_s=0.0))


def clustering(site: SiteGraph) -> Clustering:
    """Clustering knows nothing of the site."""
    return Clustering()


SYSTEMS: dict[str, Callable[[SiteGraph], AssociationUnderTest]] = {
    "fusetrack": fusetrack,
    "learned links": learned_links,
    "without refinement": without_refinement,
    "clustering": clustering,
}


def measure(system: str, cameras: int, tracklets: int) -> Row:
    """One system on one size of site, in this process."""
    site = make_site(cameras, SEED)
    tracks = people_of_a_day(site, tracklets, SEED)
    links = SYSTEMS[system](site)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    replayed = replay(site, tracks, SEED, links, time.process_time)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    p50, p99 = np.quantile(replayed.latencies_s, [0.5, 0.99]) * 1000
    return {
        "cameras": cameras,
        "tracklets": tracklets,
        "tracklets_per_s": round(tracklets / replayed.busy_s),
        "p50_ms": round(float(p50), 1),
        "p99_ms": round(float(p99), 1),
        "memory_mb": round(grown / 1024),
        "idf1": round(idf1_of(tracks, replayed.identity), 3),
        "idf1_finished": round(idf1_of(tracks, replayed.finished), 3),
        "finish_s": round(replayed.finish_s, 1),
    }


def measure_alone(system: str, cameras: int, tracklets: int) -> Row:
    """The same in a process of its own, with one thread."""
    one_thread = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
    command = [sys.executable, __file__, "--one", system, str(cameras), str(tracklets)]
    done = subprocess.run(
        command, env={**os.environ, **one_thread}, stdout=subprocess.PIPE, text=True, check=True
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measure_all(sizes: list[tuple[int, int]], systems: Iterable[str]) -> dict[str, Row]:
    """Every size, smallest first; the names say system and size."""
    found = {}
    for cameras, tracklets in sizes:
        for system in systems:
            if system == "clustering" and cameras > MOST_CAMERAS_CLUSTERED:
                continue
            row = measure_alone(system, cameras, tracklets)
            found[f"{system}, {cameras} cameras, {tracklets} tracklets"] = row
            print(system, row, file=sys.stderr)
    return found


def plot(found: dict[str, Row], path: Path) -> None:
    """Four curves against the number of cameras."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    titles = {
        "tracklets_per_s": "tracklets a second, one core",
        "p99_ms": "latency, ms (p50 dashed, p99)",
        "memory_mb": "memory, MB",
        "idf1": "IDF1",
    }
    figure, axes = pyplot.subplots(1, 4, figsize=(13, 3), constrained_layout=True)
    for axis, (column, title) in zip(axes, titles.items(), strict=True):
        for system, colour in zip(SYSTEMS, _COLOURS, strict=True):
            rows = [row for name, row in found.items() if name.startswith(system)]
            cameras = [row["cameras"] for row in rows]
            axis.plot(cameras, [row[column] for row in rows], "o-", color=colour, label=system)
            if column == "p99_ms":
                axis.plot(cameras, [row["p50_ms"] for row in rows], "--", color=colour)
        axis.set(xscale="log", xlabel="cameras", title=title)
        axis.set(yscale="linear" if column == "idf1" else "log")
    axes[-1].set_ylim(0, 1)
    axes[0].legend()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--plot", type=Path, metavar="PATH", help="draw the curves")
    parser.add_argument("--cameras", type=int, nargs="+", default=CAMERAS, metavar="N")
    parser.add_argument("--only", choices=SYSTEMS, action="append", help="may be repeated")
    parser.add_argument("--long", action="store_true", help="1,000 tracklets for each camera")
    parser.add_argument("--one", nargs=3, metavar=("SYSTEM", "CAMERAS", "TRACKLETS"))
    arguments = parser.parse_args()
    if arguments.one:
        system, cameras, tracklets = arguments.one
        print(json.dumps(measure(system, int(cameras), int(tracklets))))
        return
    each = TRACKLETS_PER_CAMERA * (LONG if arguments.long else 1)
    sizes = [(cameras, cameras * each) for cameras in arguments.cameras]
    found = measure_all(sizes, arguments.only or SYSTEMS)
    if arguments.plot:
        plot(found, arguments.plot)
    if arguments.json:
        print(json.dumps(found))
        return
    table = Table("system, size", *COLUMNS)
    for name, row in found.items():
        table.add_row(name, *(f"{row[column]:,}" for column in COLUMNS))
    Console().print(table)


if __name__ == "__main__":
    main()
