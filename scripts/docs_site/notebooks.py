"""A notebook as a page: its text, its code, and what the code gave when it was last run."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def as_markdown(path: Path) -> str:
    """The cells of the notebook at ``path`` as Markdown."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join(part for cell in cells for part in _cell(cell))


def _cell(cell: dict[str, Any]) -> Iterator[str]:
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        yield source
        return
    yield f"```python\n{source}\n```"
    for output in cell["outputs"]:
        data = output.get("data", {})
        text = "".join(output.get("text", data.get("text/plain", "")))
        html = "".join(data.get("text/html", ""))
        # What polars draws is as text what a page shows best.
        if html and "dataframe" not in html:
            yield html
        elif "image/png" in data:
            picture = "".join(data["image/png"].split())
            yield f'<img alt="What the cell draws" src="data:image/png;base64,{picture}">'
        elif text:
            yield f"```text\n{text.rstrip()}\n```"
