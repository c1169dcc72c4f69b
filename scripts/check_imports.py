"""Refuse imports against the flow: trackers and reid_model stand alone, pipeline uses both.

Each outside library has one home; a library that is imported elsewhere is refused too.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent

MAY_IMPORT = {"trackers": set(), "reid_model": set(), "pipeline": {"trackers", "reid_model"}}

HOMES = {
    "av": ("pipeline/sources/", "pipeline/pictures/video.py", "pipeline/runtime/doctor.py"),
    "boxmot": ("trackers/single_camera/boxmot.py",),
    "redis": ("pipeline/bus/",),
    "trackeval": ("pipeline/evaluation/",),
    "ultralytics": ("pipeline/detector/",),
    "typer": ("pipeline/cli/",),
    "jinja2": ("pipeline/report/",),
    "fastapi": ("pipeline/api/",),
    "starlette": ("pipeline/api/",),
    "uvicorn": ("pipeline/api/",),
    "prometheus_client": ("pipeline/monitoring/", "pipeline/service/"),
    "pydantic": ("pipeline/config", "pipeline/reid/recipe_file.py", "pipeline/weights/"),
}


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and top-level name of everything that ``path`` imports."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module.split(".")[0]


def faults() -> Iterator[str]:
    """One line for each import that goes the wrong way."""
    for package, allowed in MAY_IMPORT.items():
        for path in sorted((ROOT / package).rglob("*.py")):
            place = path.relative_to(ROOT).as_posix()
            for line, name in imported(path):
                if name in MAY_IMPORT.keys() - allowed - {package}:
                    yield f"{place}:{line}: {package} must not import {name}"
                if name in HOMES and not place.startswith(HOMES[name]):
                    yield f"{place}:{line}: {name} belongs to {', '.join(HOMES[name])}"


if __name__ == "__main__":
    found = list(faults())
    for fault in found:
        print(fault, file=sys.stderr)
    sys.exit(1 if found else 0)
