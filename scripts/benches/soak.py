"""Soak test with four RTSP cameras for minutes or hours, with faults: memory, delay and losses.

Real RTSP servers and the real `fusetrack run` with its own Redis, detector and ReID network.
Servers are killed, paused, off for long, or change their password; the size of a stream changes;
Redis is killed once. Exits with 1 when a bound is exceeded. `--picture` draws the curves.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from soaking import figures
from soaking.drive import Soak, soak
from soaking.picture import draw
from soaking.verdict import broken, table


def details(found: Soak, outcomes: list[figures.FaultOutcome]) -> dict[str, object]:
    """Each fault, and the curve of the memory."""
    faults = [
        {
            **{"kind": o.fault.kind, "camera": o.fault.camera, "at_s": round(o.fault.at, 1)},
            **{"lasted_s": round(o.fault.until - o.fault.at, 1), "back_s": round(o.back, 1)},
            "others_gap_s": round(o.others_gap, 1),
        }
        for o in outcomes
    ]
    curve = [[round(value, 1) for value in (s.at, s.rss_mb, s.private_mb)] for s in found.samples]
    return {"fault list": faults, "memory: s, MB, private MB": curve}


def main() -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1, help="seed of the faults")
    parser.add_argument("--picture", type=Path, help="draw the curves into this file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        found = soak(Path(folder), arguments.minutes * 60, arguments.seed)
    print(found.log, file=sys.stderr, end="")
    outcomes = figures.outcomes(found.faults, found.observed.cameras)
    wrong = broken(found, outcomes)
    rows = table(found, outcomes)
    if arguments.picture:
        draw(found, outcomes, arguments.picture)
    if arguments.json:
        print(json.dumps({**rows, **details(found, outcomes), "broken": wrong}))
    else:
        shown = Table("name", "figure")
        for name, figure in rows.items():
            shown.add_row(name, str(figure))
        Console(width=None if sys.stdout.isatty() else 120).print(shown)
    for line in wrong:
        print(f"bench soak: BROKEN: {line}", file=sys.stderr)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
