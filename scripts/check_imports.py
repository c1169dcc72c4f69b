"""Refuse imports against the flow: a room imports only what stands below it, and no circle.

A room is a folder of `pipeline`, `trackers` or `reid_model`, or a module beside those folders.
Each outside library has one home; a library that is imported elsewhere is refused too.
"""

import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parent.parent

PACKAGES = ("fusetrack", "pipeline", "reid_model", "trackers")

#: Top floor first.
ORDER = (
    "fusetrack",
    "pipeline.cli",
    "pipeline.api",
    "pipeline.runtime",
    "pipeline.run",
    "pipeline.associator",
    "pipeline.recorder",
    "pipeline.node",
    "pipeline.report",
    "pipeline.search",
    "pipeline.monitoring",
    "pipeline.analytics",
    "pipeline.exports",
    "pipeline.evaluation",
    "pipeline.pictures",
    "pipeline.corrections",
    "pipeline.bus",
    "pipeline.run_directory",
    "pipeline.reid",
    "pipeline.detector",
    "pipeline.calibration",
    "pipeline.weights",
    "pipeline.sources",
    "pipeline.config",
    "pipeline.areas",
    "pipeline.sources.source",
    "pipeline.background",
    "pipeline.devices",
    "pipeline.paths",
    "pipeline.errors",
    "pipeline.user",
    "trackers.association",
    "trackers.single_camera",
    "trackers.ground",
    "trackers.tracklet",
    "trackers.detections",
    "reid_model.export",
    "reid_model.explain",
    "reid_model.trained_fusion",
    "reid_model.query_encoder",
    "reid_model.query_segmenter",
    "reid_model.trained_embedder",
    "reid_model.kept_form",
    "reid_model.quantised",
    "reid_model.training",
    "reid_model.fusion_embedder",
    "reid_model.torch_embedder",
    "reid_model.embedder",
    "reid_model.weights_header",
    "reid_model.similarity",
    "reid_model.data",
    "reid_model.rerank",
    "reid_model.evaluation",
    "reid_model.losses",
    "reid_model.networks",
    "reid_model.preprocess",
    "reid_model.resize",
    "reid_model.torch_device",
    "reid_model.kept_compilation",
    "reid_model.inference_requests",
    "reid_model.openvino_runtime",
    "reid_model.archive_size",
    "reid_model.atomic_file",
)

#: Who does not know whom, whatever the floor.
APART = {"trackers": {"pipeline", "reid_model"}, "reid_model": {"pipeline", "trackers"}}

HOMES = {
    "av": ("pipeline/sources/", "pipeline/pictures/video.py", "pipeline/runtime/doctor.py"),
    "boxmot": ("trackers/single_camera/boxmot.py",),
    "matplotlib": ("pipeline/report/plots.py", "pipeline/run.py"),
    "paho": ("pipeline/api/mqtt.py",),
    "redis": ("pipeline/bus/",),
    "shapely": ("pipeline/areas.py",),
    "ultralytics": ("pipeline/detector/",),
    "supervision": ("pipeline/pictures/", "pipeline/run.py", "pipeline/runtime/moments.py"),
    "tokenizers": ("reid_model/networks/sentence_text.py",),
    "typer": ("pipeline/cli/",),
    "jinja2": ("pipeline/report/",),
    "fastapi": ("pipeline/api/",),
    "starlette": ("pipeline/api/",),
    "uvicorn": ("pipeline/api/",),
    "prometheus_client": ("pipeline/monitoring/",),
    "pydantic": ("pipeline/config/", "pipeline/reid/recipe_file.py", "pipeline/weights/"),
}


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that ``path`` imports."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def room_of(name: str) -> str:
    """The room of a module by its full name; a package's own `__init__` is the package."""
    return ".".join(name.split(".")[:2])


def modules() -> dict[Path, str]:
    """Every file of ours and its full name."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[path] = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return found


def faults() -> Iterator[str]:
    """One line for each import that goes the wrong way."""
    floors = {room: floor for floor, room in enumerate(ORDER)}
    arrows: dict[str, set[str]] = {}
    for path, module in modules().items():
        place, room = path.relative_to(ROOT).as_posix(), room_of(module)
        for line, name in imported(path):
            top, other = name.split(".")[0], room_of(name)
            if top in HOMES and not place.startswith(HOMES[top]):
                yield f"{place}:{line}: {top} belongs to {', '.join(HOMES[top])}"
            if top in APART.get(room.split(".")[0], ()):
                yield f"{place}:{line}: {room.split('.')[0]} must not import {top}"
            elif top in PACKAGES and other in floors and room in floors and other != room:
                arrows.setdefault(room, set()).add(other)
                if floors[other] < floors[room]:
                    yield f"{place}:{line}: {room} stands below {other} and must not import it"
    yield from circles(arrows)


def circles(arrows: dict[str, set[str]]) -> Iterator[str]:
    """One line for a circle of rooms, which an order that is wrong could hide."""
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        yield f"rooms import each other in a circle: {' <- '.join(error.args[1])}"


def unnamed() -> Iterator[str]:
    """One line for each room without a floor."""
    for room in sorted({room_of(name) for name in modules().values()} - {*ORDER, *PACKAGES}):
        if not room.endswith("__main__"):
            yield f"{room} has no place in ORDER"


if __name__ == "__main__":
    found = [*faults(), *unnamed()]
    for fault in found:
        print(fault, file=sys.stderr)
    sys.exit(1 if found else 0)
