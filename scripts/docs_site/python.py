"""The public names of `import fusetrack`, for mkdocstrings to fill in."""

import fusetrack


def names() -> str:
    """A section for each public name, in the order in which the package lists them."""
    return "\n".join(_section(name) for name in fusetrack.__all__)


def _section(name: str) -> str:
    target = getattr(fusetrack, name)
    options = (
        f"    options:\n      heading: fusetrack.{name}\n      toc_label: {name}\n"
        "      heading_level: 2\n"
    )
    return f"::: {target.__module__}.{target.__qualname__}\n{options}"
