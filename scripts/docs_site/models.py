"""The table of the manifest: every network and data set that can be fetched."""

from docs_site.markdown import code, table
from pipeline.weights import load_manifest


def manifest() -> str:
    """Name, kind, licence, size and what it is, as Markdown."""
    rows = [
        (
            code(name),
            entry.kind,
            f"{sum(file.size for file in entry.files.values()) / 1e6:.1f} MB",
            entry.licence,
            entry.about,
        )
        for name, entry in load_manifest().items()
    ]
    return table(("name", "kind", "size", "licence", "what"), rows)
