"""A text encoder as a file: safetensors that say its sizes."""

from pathlib import Path

from reid_model.networks.clip_text import ClipText
from reid_model.training.weights_file import read_weights_file, write_weights

_FORMAT = "fusetrack-text-1"


def save_text(path: Path, text: ClipText, figures: dict[str, float]) -> None:
    """Write the encoder, and what was measured of it."""
    state = {name: value.cpu().contiguous() for name, value in text.state_dict().items()}
    write_weights(path, state, _FORMAT, {"sizes": text.sizes, "figures": figures})


def load_text(path: Path) -> tuple[ClipText, dict[str, float]]:
    """The encoder in eval mode, and what was measured of it.

    Raises ValueError when the file is missing, damaged, or not one of `save_text`.
    """
    header, state = read_weights_file(path, _FORMAT, "text encoder of fusetrack")
    text = ClipText(**header["sizes"])
    try:
        text.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"{path} does not hold the weights of the sizes it names") from error
    return text.eval(), header["figures"]
