"""A text encoder as a file: safetensors that say its sizes."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from reid_model.clip_text import ClipText

# The one key of the header: safetensors writes several of them in a random order.
_FORMAT = "fusetrack-text-1"


def save_text(path: Path, text: ClipText, figures: dict[str, float]) -> None:
    """Write the encoder, and what was measured of it."""
    state = {name: value.cpu().contiguous() for name, value in text.state_dict().items()}
    metadata = {_FORMAT: json.dumps({"sizes": text.sizes, "figures": figures})}
    unfinished = path.with_name(path.name + ".unfinished")
    save_file(state, unfinished, metadata)
    unfinished.replace(path)


def load_text(path: Path) -> tuple[ClipText, dict[str, float]]:
    """The encoder in eval mode, and what was measured of it.

    Raises ValueError when the file is missing, damaged, or not one of `save_text`.
    """
    if not path.is_file():
        raise ValueError(f"{path} does not exist")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} is damaged or no safetensors file") from error
    if _FORMAT not in metadata:
        raise ValueError(f"{path} is no text encoder of fusetrack")
    header: dict[str, Any] = json.loads(metadata[_FORMAT])
    text = ClipText(**header["sizes"])
    try:
        text.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"{path} does not hold the weights of the sizes it names") from error
    return text.eval(), header["figures"]
