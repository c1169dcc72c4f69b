"""What a weights file says about itself: read without its weights, and without PyTorch."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from reid_model.similarity import SimilarityFit

MODEL_FORMAT = "fusetrack-reid-1"
#: Of `reid_model.training.fusion_files`.
FUSION_FORMAT = "fusetrack-fusion-1"
TRAINED = "model of `fusetrack reid train`"


def read_header(path: Path, format: str, what: str) -> Any:
    """What was written under the key ``format``.

    Raises ValueError when the file is missing, damaged, or has another ``format``; the message
    calls it a ``what``.
    """
    if not path.is_file():
        raise ValueError(f"{path} does not exist")
    try:
        metadata = _metadata(path)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} is damaged or not a safetensors file") from error
    if format not in metadata:
        raise ValueError(f"{path} is not a {what}")
    return json.loads(metadata[format])


def is_fusion(path: Path) -> bool:
    """Whether a file is a model of FusionSegReID; False for one that cannot be read."""
    try:
        return FUSION_FORMAT in _metadata(path)
    except (SafetensorError, OSError):
        return False


def load_similarity(path: Path) -> SimilarityFit | None:
    """The score calibration of a model; None when it was not fitted, or is of an earlier format.

    Raises ValueError as `read_header`.
    """
    known = FUSION_FORMAT if is_fusion(path) else MODEL_FORMAT
    found = read_header(path, known, TRAINED)["similarity"]
    if found is None:
        return None
    return SimilarityFit(**found) if found.keys() == SimilarityFit.__annotations__.keys() else None


def _metadata(path: Path) -> dict[str, str]:
    with safe_open(path, framework="np") as file:
        return file.metadata() or {}
