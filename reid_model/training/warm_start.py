"""A `ClipResNet` of width 64 or less that starts from ImageNet's ResNet-50."""

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from reid_model.networks.clip_resnet import ClipResNet
from reid_model.networks.positional import grid_of, stretched
from reid_model.training.build import Parts
from reid_model.training.checkpoint import load_checkpoint
from reid_model.training.keras_resnet import first_map, stages
from reid_model.training.model_files import load_model
from reid_model.training.recipe import ModelRecipe

State = dict[str, Tensor]

_LAYERS = ("layer1", "layer2", "layer3", "layer4")


def narrowed(state: State, stem: Tensor, width: int, layers: Sequence[int]) -> State:
    """The stages' ``state`` for a smaller ``width``; those of ``layers`` blocks that ``state`` has.

    ``stem`` ``(width,)`` are the channels of the first map that stay, in the new order. Raises
    ValueError for a width larger than that of ``state``.
    """
    small: State = {}
    incoming = stem
    for stage, (layer, blocks) in enumerate(zip(_LAYERS, layers, strict=True)):
        outgoing = _strongest(*_of_stage(state, stage, blocks), 4 * width << stage)
        for block in range(blocks):
            name = f"{layer}.{block}"
            small |= _block(
                state, name, incoming if block == 0 else outgoing, outgoing, width << stage
            )
        incoming = outgoing
    return small


def strongest_of_stem(state: State, written: Tensor, width: int) -> Tensor:
    """Which ``width`` channels of the first map are worth most: ``written`` ``(C,)`` says how large
    each is.
    """
    read = _read(state["layer1.0.conv1.weight"]) + _read(state["layer1.0.downsample.0.weight"])
    return _strongest(written, read, width)


def _block(state: State, name: str, incoming: Tensor, outgoing: Tensor, planes: int) -> State:
    first = _strongest(_written(state, name, 1), _read(state[f"{name}.conv2.weight"]), planes)
    second = _strongest(_written(state, name, 2), _read(state[f"{name}.conv3.weight"]), planes)
    small = dict(_cut(state, f"{name}.conv1", f"{name}.bn1", incoming, first))
    small |= dict(_cut(state, f"{name}.conv2", f"{name}.bn2", first, second))
    small |= dict(_cut(state, f"{name}.conv3", f"{name}.bn3", second, outgoing))
    if f"{name}.downsample.0.weight" in state:
        small |= dict(
            _cut(state, f"{name}.downsample.0", f"{name}.downsample.1", incoming, outgoing)
        )
    return small


def _cut(
    state: State, convolution: str, norm: str, inputs: Tensor, outputs: Tensor
) -> Iterator[tuple[str, Tensor]]:
    yield f"{convolution}.weight", state[f"{convolution}.weight"][outputs][:, inputs]
    for name in ("weight", "bias", "running_mean", "running_var"):
        yield f"{norm}.{name}", state[f"{norm}.{name}"][outputs]


def _of_stage(state: State, stage: int, blocks: int) -> tuple[Tensor, Tensor]:
    """What a stage's blocks write to each channel between them, and what is read from it."""
    names = [f"{_LAYERS[stage]}.{block}" for block in range(blocks)]
    written = [_written(state, name, 3) for name in names]
    written.append(state[f"{names[0]}.downsample.1.weight"].abs())
    read = [_read(state[f"{name}.conv1.weight"]) for name in names[1:]]
    if stage + 1 < len(_LAYERS):
        following = f"{_LAYERS[stage + 1]}.0"
        read.append(_read(state[f"{following}.conv1.weight"]))
        read.append(_read(state[f"{following}.downsample.0.weight"]))
    all_written = torch.stack(written).sum(0)
    return all_written, torch.stack(read).sum(0) if read else torch.ones_like(all_written)


def _written(state: State, name: str, number: int) -> Tensor:
    """How much a normalised channel varies: its weight."""
    return state[f"{name}.bn{number}.weight"].abs()


def _read(weight: Tensor) -> Tensor:
    """The size of a convolution's weights for each of its inputs."""
    return weight.square().sum(dim=(0, 2, 3)).sqrt()


def _strongest(written: Tensor, read: Tensor, count: int) -> Tensor:
    """The indices of the ``count`` strongest channels, rising."""
    if count > len(written):
        raise ValueError(f"{count} channels cannot be chosen of {len(written)}: lower the width")
    return (written * read).topk(count).indices.sort().values


_RATE = 1e-2


def warm_start(encoder: ClipResNet, weights: dict[str, Tensor], batches: Iterable[Tensor]) -> float:
    """Fill ``encoder``'s stages with the strongest channels of ``weights``
    (`keras_resnet.read_weights`), and teach its stem to give the map that those expect.

    ``batches`` are pictures ``(B, 3, H, W)``, normalised RGB, of which the stem learns. Returns the
    share of the map's variance that the stem misses in the last batch. The attention pool stays as
    it is. Raises ValueError without any pictures, and for an encoder wider than ``weights``.
    """
    wide = stages(weights)
    chosen = None
    missed = math.inf
    optimiser = torch.optim.Adam(_stem_parameters(encoder), lr=_RATE)
    encoder.train()
    for pictures in batches:
        wanted = first_map(weights, pictures)
        if chosen is None:
            chosen = strongest_of_stem(wide, wanted.std(dim=(0, 2, 3)), encoder.width)
            _scale(encoder.bn3, wanted[:, chosen])
        with torch.autocast("cpu", torch.bfloat16):
            given = encoder.stem(pictures)
        loss = F.mse_loss(given.float(), wanted[:, chosen]) / wanted[:, chosen].var()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        missed = loss.item()
    if chosen is None:
        raise ValueError("a warm start needs pictures for the stem to learn of")
    blocks = [len(stage) for stage in _stages(encoder)]
    encoder.load_state_dict(narrowed(wide, chosen, encoder.width, blocks), strict=False)
    return missed


def _stages(encoder: ClipResNet) -> list[torch.nn.Sequential]:
    return [encoder.layer1, encoder.layer2, encoder.layer3, encoder.layer4]


def _scale(norm: torch.nn.BatchNorm2d, wanted: Tensor) -> None:
    """Let the stem's last normalisation begin with numbers as large as those wanted."""
    with torch.no_grad():
        norm.weight.copy_(wanted.std(dim=(0, 2, 3)))
        norm.bias.copy_(wanted.mean(dim=(0, 2, 3)))


def _stem_parameters(encoder: ClipResNet) -> list[torch.nn.Parameter]:
    modules = (encoder.conv1, encoder.bn1, encoder.conv2, encoder.bn2, encoder.conv3, encoder.bn3)
    return [parameter for module in modules for parameter in module.parameters()]


_POSITIONS = "model.trunk.encoder.attnpool.positional_embedding"
_ENCODER = "model.trunk.encoder."


def start_of(path: Path, recipe: ModelRecipe) -> dict[str, Tensor]:
    """The weights of a `save_model` file, or all that a training's folder has learned, for pictures
    of the recipe's size; names are those of `Parts`.

    Raises ValueError when there is nothing to start from, as `load_model` and `load_checkpoint`,
    and for a model of standardised pictures when the recipe's are not.
    """
    state, theirs = _learned(path) if path.is_dir() else _deployed(path)
    if theirs.standardise and not recipe.standardise:
        raise ValueError(
            f"{path} knows standardised pictures only: set model.standardise to true in the recipe"
        )
    old, new = (grid_of(one.image_size, 16, 16) for one in (theirs, recipe))
    if old != new and _POSITIONS in state:
        state[_POSITIONS] = stretched(state[_POSITIONS], old, new)
    return state


def set_out_from(parts: Parts, start: dict[str, Tensor]) -> None:
    """Fill ``parts`` with the weights that fit; all but the image encoder may stay new.

    Raises ValueError when the encoder has another architecture.
    """
    own = parts.state_dict()
    fitting = {
        name: value
        for name, value in start.items()
        if name in own and own[name].shape == value.shape
    }
    missing = [name for name in own if name.startswith(_ENCODER) and name not in fitting]
    if missing:
        raise ValueError(
            f"the model to start from has another architecture: {missing[0]} does not fit; "
            "width, layers and output_dim must be the recipe's"
        )
    parts.load_state_dict(fitting, strict=False)


def _deployed(path: Path) -> tuple[dict[str, Tensor], ModelRecipe]:
    embedder, recipe = load_model(path)
    return {f"model.{name}": value for name, value in embedder.state_dict().items()}, recipe


def _learned(folder: Path) -> tuple[dict[str, Tensor], ModelRecipe]:
    content = load_checkpoint(folder / "checkpoints")
    if content is None:
        raise ValueError(f"{folder} holds no training to start from")
    return content["parts"], ModelRecipe(**content["recipe"]["model"])
