"""Weights as a file: safetensors with a header that says what they are."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor


def write_weights(path: Path, state: dict[str, Tensor], format: str, header: Any) -> None:
    """Write ``state`` and a ``header`` of what json knows, as a whole or not at all."""
    unfinished = path.with_name(path.name + ".unfinished")
    # One key: safetensors writes several of them in a random order.
    save_file(state, unfinished, {format: json.dumps(header)})
    unfinished.replace(path)


def read_weights_file(path: Path, format: str, what: str) -> tuple[Any, dict[str, Tensor]]:
    """Header and state of a file of `write_weights`.

    Raises ValueError when the file is missing, damaged, or not ``what`` its ``format`` says.
    """
    if not path.is_file():
        raise ValueError(f"{path} does not exist")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} is damaged or no safetensors file") from error
    if format not in metadata:
        raise ValueError(f"{path} is no {what}")
    return json.loads(metadata[format]), state
