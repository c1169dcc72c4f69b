"""Load public CLIP weights from a local file into our encoders. Nothing is downloaded."""

import hashlib
import pickle
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from reid_model.archive_size import check_archive_size, check_tensor_sizes
from reid_model.networks.clip_resnet import ClipResNet
from reid_model.networks.clip_transformer import ClipText, ClipViT
from reid_model.networks.positional import resize_positional

#: SHA-256 of OpenAI's RN50.pt, a TorchScript archive.
OFFICIAL_RN50 = "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762"

_VISUAL = "visual."
_POSITIONAL = "positional_embedding"
#: Parameters of a whole CLIP that belong to neither encoder.
_IN_NEITHER = {"logit_scale", "logit_bias", "input_resolution", "context_length", "vocab_size"}
#: Parameters that an encoder may have in addition to CLIP's; they keep their values.
_OURS = {"camera_embedding"}
_SHOWN = 3

#: What the readers raise for files that are truncated, damaged or of another kind.
_DAMAGE = (
    SafetensorError,
    zipfile.BadZipFile,
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
)


def load_clip(path: Path, allow: bool = False) -> dict[str, Tensor]:
    """The parameters of a whole CLIP by name, floating point ones as float32.

    Reads safetensors (by the suffix ``.safetensors``), a state dict saved by PyTorch (bare, or
    under ``state_dict`` in a training checkpoint), and TorchScript archives such as OpenAI's
    ``RN50.pt``. The latter contain code: only the official file is opened, or any with ``allow``.

    Raises ValueError when the file is missing or damaged, contains more than tensors, or is an
    archive that is not allowed.
    """
    if not path.is_file():
        raise ValueError(f"{path} does not exist: CLIP weights must be a local file")
    check_archive_size(path)
    archive = _is_torchscript(path)
    if archive and not allow and _sha256(path) != OFFICIAL_RN50:
        raise ValueError(
            f"{path} is a TorchScript archive, which contains code, and not OpenAI's RN50.pt: "
            "allow it explicitly if you trust it, or convert it to safetensors"
        )
    try:
        content = _read_torchscript(path) if archive else _read_tensors(path)
    except pickle.UnpicklingError as error:
        raise ValueError(f"{path} contains more than tensors, or is not a checkpoint") from error
    except _DAMAGE as error:
        raise ValueError(
            f"{path} cannot be read as CLIP weights: it may be damaged or incomplete"
        ) from error
    if not isinstance(content, dict) or not all(isinstance(v, Tensor) for v in content.values()):
        raise ValueError(f"{path} is not a state dict: it must map names to tensors")
    check_tensor_sizes(path, content.values())
    # Training on several GPUs adds this prefix to every name.
    named = {str(key).removeprefix("module."): value for key, value in content.items()}
    return {
        key: value.float() if value.is_floating_point() else value for key, value in named.items()
    }


def fill_image_encoder(encoder: ClipResNet | ClipViT, state: Mapping[str, Tensor]) -> None:
    """Copy the image tower (``visual.``) of a whole CLIP, from `load_clip`, into the encoder.

    The positional embedding is resized to the encoder's grid. Raises ValueError, without a
    change, when parameters are missing, unknown or of another shape; it names some of them.
    """
    tower = {
        key.removeprefix(_VISUAL): value for key, value in state.items() if key.startswith(_VISUAL)
    }
    for key, value in tower.items():
        if key.endswith(_POSITIONAL):
            tower[key] = resize_positional(value, encoder.grid)
    _fill(encoder, tower, "image encoder")


def fill_text_encoder(encoder: ClipText, state: Mapping[str, Tensor]) -> None:
    """Copy the text tower of a whole CLIP, from `load_clip`, into the encoder.

    Raises ValueError, without a change, when parameters are missing, unknown or of another shape;
    it names some of them.
    """
    tower = {
        key: value
        for key, value in state.items()
        if not key.startswith(_VISUAL) and key not in _IN_NEITHER
    }
    _fill(encoder, tower, "text encoder")


def _fill(encoder: nn.Module, tower: dict[str, Tensor], name: str) -> None:
    own = encoder.state_dict()
    # Older files lack the batch counters, which are not used.
    needed = {key for key in own if not key.endswith("num_batches_tracked")} - _OURS
    faults = [
        _listed("missing", needed - tower.keys()),
        _listed("unknown", tower.keys() - own.keys()),
        _listed("of another shape", _other_shapes(own, tower)),
    ]
    if any(faults):
        raise ValueError(
            f"the weights do not fit the {name}: {'; '.join(filter(None, faults))}. "
            "They must be those of the same CLIP architecture"
        )
    encoder.load_state_dict(tower, strict=False)


def _other_shapes(own: dict[str, Tensor], tower: dict[str, Tensor]) -> list[str]:
    return [
        f"{key} {tuple(tower[key].shape)} for {tuple(own[key].shape)}"
        for key in own.keys() & tower.keys()
        if own[key].shape != tower[key].shape
    ]


def _listed(what: str, keys: Iterable[str]) -> str:
    """The number of keys and the first few; an empty string without keys."""
    ordered = sorted(keys)
    if not ordered:
        return ""
    dots = ", ..." if len(ordered) > _SHOWN else ""
    return f"{len(ordered)} {what} ({', '.join(ordered[:_SHOWN])}{dots})"


def _is_torchscript(path: Path) -> bool:
    """Whether PyTorch would open the file as an archive with code: it then contains constants."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/constants.pkl") for name in archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError, OSError):
        return False


def _read_torchscript(path: Path) -> Any:
    with warnings.catch_warnings():
        # PyTorch has deprecated these archives, but the public weights are one.
        warnings.simplefilter("ignore", FutureWarning)
        archive = torch.jit.load(path, map_location="cpu")  # type: ignore[no-untyped-call]
    return archive.state_dict()


def _read_tensors(path: Path) -> Any:
    if path.suffix == ".safetensors":
        return load_file(path)
    content = torch.load(path, map_location="cpu", weights_only=True)
    return content.get("state_dict", content) if isinstance(content, dict) else content


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
