"""Camera-frames a second and processor time a frame, of fusetrack, its parts and its peers.

`fusetrack` does everything: decoding, detection, tracking, embedding, association, recording. The
systems take turns on the same clips with the same detector at the same size of its input, each
without its start-up, and the table has medians and the range over the rounds. Processor time is
disturbed less by other work on the machine than wall time. The peers: ultralytics' ByteTrack
without ReID, in PyTorch and in OpenVINO; boxmot's command line with BoT-SORT and OSNet x0.25, on
the first clip, in a virtual environment made for it (needs FUSETRACK_DATA). The clips are the four
of the demo (1088x1920), or with `--clips pets` the one of PETS (768x576, needs FUSETRACK_DATA).

`--everything` adds a mostly still view, memory by the number of cameras, the delay of live cameras,
the start-up, and the instructions of older processors; on two idle cores it takes about a quarter
of an hour. Each has an option of its own too.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

import overload
import printing
from pipeline.config.load import load_config
from pipeline.config.schema import SiteConfig
from pipeline.detector import Detector
from pipeline.node.node import AHEAD
from pipeline.paths import config_folder
from pipeline.weights import weights_path
from speeding import avx2, growing, systems
from speeding.clips import lengthened
from speeding.peers import Boxmot, Ultralytics
from speeding.starting import first_frame_s, help_s
from speeding.still import CYCLE_MINUTES, mostly_still, slowed_pets
from speeding.timing import PartTimes, Speed

OURS = "fusetrack, all of it"
NAMES = {
    "ours": OURS,
    "no-reid": "fusetrack without ReID",
    "openvino": "ultralytics ByteTrack, OpenVINO, no ReID",
    "pytorch": "ultralytics ByteTrack, PyTorch, no ReID",
    "boxmot": "boxmot BoT-SORT, PyTorch, OSNet x0.25",
    "both": "detection and decoding",
    "ahead": "detection ahead and decoding",
    "detection": "detection alone",
    "decoding": "decoding alone",
}

# Of the cameras of whose hours the processor's are told.
_FPS = 25
_SLOWED_FRAMES = 300
# Cameras, frames a second of each, seconds.
_LIVE = (2, 10.0, 30.0)
_DELAYS = ("capture to sent, s: 50 %, 95 %", "capture to identity, s: 50 %, 95 %", "load average")


def clips_of(name: str) -> tuple[list[Path], SiteConfig]:
    """The clips, and the configuration of their site."""
    if name == "demo":
        folder = weights_path("demo-clips").parent
        clips = [folder / f"cam0{number}.mp4" for number in (1, 2, 3, 4)]
        return clips, load_config(config_folder() / "demo.yaml")
    return [data_folder() / "pets2009" / "View_001_vtest.avi"], SiteConfig()


def data_folder() -> Path:
    """The folder of the public data."""
    data = os.environ.get("FUSETRACK_DATA")
    if data is None:
        sys.exit("bench speed: set FUSETRACK_DATA to a folder that contains pets2009/ and weights/")
    return Path(data)


def opened(
    names: list[str], clips: list[Path], config: SiteConfig, scratch: Path
) -> dict[str, Callable[[], Speed]]:
    """What measures each of the systems once."""
    detector = Detector(config.detector, "cpu")
    known: dict[str, Callable[[], Callable[[], Speed]]] = {
        "ours": lambda: lambda: systems.ours(clips, config),
        "no-reid": lambda: lambda: systems.without_reid(clips, config),
        "openvino": lambda: _peer("openvino", clips, scratch),
        "pytorch": lambda: _peer("pytorch", clips, scratch),
        "boxmot": lambda: Boxmot(clips[0], _osnet(), scratch).run,
        "both": lambda: lambda: systems.detection_and_decoding(clips, config, detector),
        "ahead": lambda: lambda: systems.detection_and_decoding(clips, config, detector, AHEAD),
        "detection": lambda: lambda: systems.detection(clips, config, detector),
        "decoding": lambda: lambda: systems.decoding(clips),
    }
    return {name: known[name]() for name in names}


def _peer(how: str, clips: list[Path], scratch: Path) -> Callable[[], Speed]:
    peer = Ultralytics(how, scratch)
    return lambda: peer.run(clips)


def _osnet() -> Path:
    return data_folder() / "weights" / "osnet_x0_25_msmt17.onnx"


def measure(systems_of: dict[str, Callable[[], Speed]], rounds: int) -> dict[str, list[Speed]]:
    """Every system once in each round."""
    found: dict[str, list[Speed]] = {name: [] for name in systems_of}
    for _ in range(rounds):
        for name, run in systems_of.items():
            found[name].append(run())
            print(f"{name}: {found[name][-1]}", file=sys.stderr)
    return found


def rows_of(found: dict[str, list[Speed]]) -> dict[str, dict[str, float]]:
    """Medians and ranges; the ratios are to all of fusetrack."""
    rows = {}
    ours = found.get("ours", [])
    for name, speeds in found.items():
        fps, cpu = [speed.fps for speed in speeds], [speed.cpu_ms for speed in speeds]
        rows[NAMES[name]] = row = {
            "fps": round(median(fps), 1),
            "fps_least": round(min(fps), 1),
            "fps_most": round(max(fps), 1),
            "cpu_ms": round(median(cpu), 1),
            "cpu_ms_least": round(min(cpu), 1),
            "cpu_ms_most": round(max(cpu), 1),
        }
        row["cpu_hours_a_camera_hour"] = round(median(cpu) * _FPS / 1000, 2)
        if ours:
            mine = median(speed.cpu_ms for speed in ours)
            row["cpu_of_fusetrack"] = round(median(cpu) / mine, 2)
    return rows


def parts_of(clips: list[Path], config: SiteConfig) -> dict[str, dict[str, float]]:
    """The processor time of the parts of a run, and what is in none of them."""
    parts = PartTimes()
    speed = systems.ours(clips, config, parts)
    seconds = dict(sorted(parts.seconds.items(), key=lambda part: -part[1]))
    seconds["all else"] = speed.cpu_s - sum(seconds.values())
    return {
        part: {
            "cpu_ms": round(1000 * took / speed.frames, 2),
            "share": round(took / speed.cpu_s, 3),
        }
        for part, took in seconds.items()
    }


def show(rows: dict[str, dict[str, float]], parts: dict[str, dict[str, float]]) -> None:
    """Two tables."""
    table = Table("system", "camera-frames/s", "processor ms a frame", "of fusetrack")
    for name, row in rows.items():
        fps = f"{row['fps']} ({row['fps_least']} to {row['fps_most']})"
        cpu = f"{row['cpu_ms']} ({row['cpu_ms_least']} to {row['cpu_ms_most']})"
        table.add_row(name, fps, cpu, str(row.get("cpu_of_fusetrack", "")))
    Console().print(table)
    table = Table("part of fusetrack", "processor ms a frame", "share")
    for name, row in parts.items():
        table.add_row(name, f"{row['cpu_ms']:.2f}", f"{row['share']:.1%}")
    Console().print(table)


def plot(rows: dict[str, dict[str, float]], parts: dict[str, dict[str, float]], path: Path) -> None:
    """Bars: processor time a frame of the systems, and of the parts of fusetrack."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(12, 3.5), constrained_layout=True)
    for axis, found, title in zip(
        axes, (rows, parts), ("systems", "parts of fusetrack"), strict=True
    ):
        values = [row["cpu_ms"] for row in found.values()]
        bars = axis.barh(list(found), values, color="#4477aa")
        axis.bar_label(bars, fmt="%.1f", padding=2)
        axis.set(title=f"{title}: processor ms a frame")
        axis.invert_yaxis()
        axis.margins(x=0.15)
    figure.savefig(path, dpi=110)


def further(wanted: argparse.Namespace, clips: list[Path], scratch: Path) -> dict[str, Any]:
    """The tables besides the systems and the parts, each by its heading."""
    found: dict[str, Any] = {}
    if wanted.still:
        still = mostly_still(
            data_folder() / "clips" / "one-by-one.mp4",
            wanted.still,
            Ultralytics("openvino", scratch),
            scratch,
            whole=wanted.whole,
        )
        found["mostly still"] = still
        found["PETS slowed"] = slowed_pets(data_folder(), _SLOWED_FRAMES, scratch)
    if wanted.memory:
        found["memory"] = growing.memory(clips[0], scratch)
    if wanted.delay:
        (scratch / "live").mkdir()
        live = overload.measure(scratch / "live", *_LIVE)
        found["delay"] = {f"{_LIVE[0]} live cameras": {name: live[name] for name in _DELAYS}}
    if wanted.start:
        help_took, first = help_s(), first_frame_s(clips[0], scratch)
        found["start"] = {"s": {"help": round(help_took, 2), "first frame": round(first, 2)}}
    if wanted.avx2:
        found["AVX2"] = avx2.rows(Path(__file__), wanted.clips, wanted.rounds)
    return found


def minutes(text: str) -> int:
    """The minutes of a mostly still view."""
    if not text.isdecimal() or int(text) % CYCLE_MINUTES or not int(text):
        raise argparse.ArgumentTypeError(f"expected a multiple of {CYCLE_MINUTES}, got {text}")
    return int(text)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--clips", choices=("demo", "pets"), default="demo")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--times", type=int, default=1, help="the length of each clip")
    parser.add_argument("--only", choices=NAMES, action="append", help="may be repeated")
    parser.add_argument("--start", action="store_true", help="measure the start-up as well")
    parser.add_argument("--still", type=minutes, metavar="MINUTES", help="a mostly still view too")
    parser.add_argument("--whole", action="store_true", help="all systems follow all of that view")
    parser.add_argument("--memory", action="store_true", help="of 1 to 32 cameras")
    parser.add_argument("--delay", action="store_true", help="of live cameras, to their identities")
    parser.add_argument("--avx2", action="store_true", help="the instructions of older processors")
    parser.add_argument("--everything", action="store_true", help="all of this")
    parser.add_argument("--plot", type=Path, metavar="PATH", help="draw the bars")
    arguments = parser.parse_args()
    if arguments.everything:
        arguments.start = arguments.memory = arguments.delay = arguments.avx2 = True
        arguments.still = arguments.still or CYCLE_MINUTES
    avx2.do_without_bfloat16()
    clips, config = clips_of(arguments.clips)
    result = {name: getattr(arguments, name) for name in ("clips", "times", "rounds")}
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        clips = lengthened(clips, arguments.times, scratch / "long")
        chosen = opened(arguments.only or list(NAMES), clips, config, scratch)
        rows = rows_of(measure(chosen, arguments.rounds))
        parts = parts_of(clips, config) if "ours" in chosen else {}
        tables = further(arguments, clips, scratch)
    if arguments.plot:
        plot(rows, parts, arguments.plot)
    if arguments.json:
        print(json.dumps({**result, "systems": rows, "parts": parts, **tables}))
        return
    show(rows, parts)
    for title, table in tables.items():
        columns = dict.fromkeys(column for row in table.values() for column in row)
        printing.show(table, title, [*columns], as_json=False)


if __name__ == "__main__":
    main()
