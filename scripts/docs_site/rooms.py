"""Which room of the code holds what, and what each imports, read from the code."""

import ast
import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType

from docs_site.markdown import code, prose, table

_ROOT = Path(__file__).parents[2]


def rooms() -> str:
    """Every room, top floor first, with its purpose and the rooms that it imports."""
    checker = _checker()
    used: dict[str, set[str]] = {room: set() for room in checker.ORDER}
    for path, module in checker.modules().items():
        room = checker.room_of(module)
        for _, name in checker.imported(path):
            other = checker.room_of(name)
            if room in used and other in used and other != room:
                used[room].add(other)
    rows = (
        (code(room), _purpose(room), ", ".join(code(o) for o in checker.ORDER if o in used[room]))
        for room in checker.ORDER
    )
    return table(("room", "what it holds", "imports"), rows)


def homes() -> str:
    """The outside libraries that one place alone may import, as Markdown."""
    known: dict[str, tuple[str, ...]] = _checker().HOMES
    rows = [(code(name), ", ".join(map(code, places))) for name, places in sorted(known.items())]
    return table(("library", "may be imported in"), rows)


@cache
def _checker() -> ModuleType:
    """The script that refuses imports against the order of the rooms."""
    path = _ROOT / "scripts" / "check_imports.py"
    spec = importlib.util.spec_from_file_location("check_imports", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _purpose(room: str) -> str:
    """The first line of what a room says of itself."""
    place = _ROOT.joinpath(*room.split("."))
    path = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    return prose(ast.get_docstring(ast.parse(path.read_text())) or "").split("\n")[0]
