"""What is made of a run's tables and still shows what was removed from them: it goes too."""

from collections import Counter
from pathlib import Path

from pipeline.run_directory.rewriting import remove_all

#: What was removed: a word for the kind, and how many.
Removed = Counter[str]


def remove_derived(folder: Path, *, dry: bool = False) -> Removed:
    """Remove the page and the exports in a run directory; both can be made again.

    Raises OSError.
    """
    removed: Removed = Counter()
    removed["reports"] = remove_all([folder / "report.html"], dry=dry)
    exports = sorted(path for path in (folder / "export").rglob("*") if path.is_file())
    removed["exports"] = remove_all(exports, dry=dry)
    return +removed


def told(removed: Removed) -> str:
    """What was removed, in words."""
    return ", ".join(f"{count} {what}" for what, count in sorted(removed.items())) or "nothing"
