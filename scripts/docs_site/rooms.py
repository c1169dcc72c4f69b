"""Which room of the code holds what, and what each imports, read from the code."""

import ast
from pathlib import Path

import check_imports
from docs_site.markdown import code, prose, table

_ROOT = Path(__file__).parents[2]


def rooms() -> str:
    """Every room, top floor first, with its purpose and the rooms that it imports."""
    used: dict[str, set[str]] = {room: set() for room in check_imports.ORDER}
    for path, module in check_imports.modules().items():
        room = check_imports.room_of(module)
        for _, name in check_imports.imported(path):
            other = check_imports.room_of(name)
            if room in used and other in used and other != room:
                used[room].add(other)
    rows = (
        (
            code(room),
            _purpose(room),
            ", ".join(code(o) for o in check_imports.ORDER if o in used[room]),
        )
        for room in check_imports.ORDER
    )
    return table(("room", "what it holds", "imports"), rows)


def homes() -> str:
    """The outside libraries that one place alone may import, as Markdown."""
    known: dict[str, tuple[str, ...]] = check_imports.HOMES
    rows = [(code(name), ", ".join(map(code, places))) for name, places in sorted(known.items())]
    return table(("library", "may be imported in"), rows)


def _purpose(room: str) -> str:
    """The first line of what a room says of itself."""
    place = _ROOT.joinpath(*room.split("."))
    path = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    return prose(ast.get_docstring(ast.parse(path.read_text())) or "").split("\n")[0]
