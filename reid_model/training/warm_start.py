"""Warm starts: a narrow `ClipResNet` from ImageNet's ResNet-50, or the weights of a training."""

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
    """The state of the stages at a smaller ``width``, with the first ``layers`` blocks of each.

    ``stem`` ``(width,)`` are the indices of the first map's channels that are kept, in the new
    order. Raises ValueError for a width larger than that of ``state``.
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


def strongest_stem_channels(state: State, scales: Tensor, width: int) -> Tensor:
    """The indices of the ``width`` strongest channels of the first map, whose ``scales`` are
    ``(C,)``.
    """
    norms = _norms(state["layer1.0.conv1.weight"]) + _norms(state["layer1.0.downsample.0.weight"])
    return _strongest(scales, norms, width)


def _block(state: State, name: str, incoming: Tensor, outgoing: Tensor, planes: int) -> State:
    first = _strongest(_scales(state, name, 1), _norms(state[f"{name}.conv2.weight"]), planes)
    second = _strongest(_scales(state, name, 2), _norms(state[f"{name}.conv3.weight"]), planes)
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
    """The scale of each channel between a stage's blocks, and the norm of the weights on it."""
    names = [f"{_LAYERS[stage]}.{block}" for block in range(blocks)]
    scales = [_scales(state, name, 3) for name in names]
    scales.append(state[f"{names[0]}.downsample.1.weight"].abs())
    norms = [_norms(state[f"{name}.conv1.weight"]) for name in names[1:]]
    if stage + 1 < len(_LAYERS):
        following = f"{_LAYERS[stage + 1]}.0"
        norms.append(_norms(state[f"{following}.conv1.weight"]))
        norms.append(_norms(state[f"{following}.downsample.0.weight"]))
    total = torch.stack(scales).sum(0)
    return total, torch.stack(norms).sum(0) if norms else torch.ones_like(total)


def _scales(state: State, name: str, number: int) -> Tensor:
    """The scale of each channel after a normalisation: its weight."""
    return state[f"{name}.bn{number}.weight"].abs()


def _norms(weight: Tensor) -> Tensor:
    """The norm of a convolution's weights on each input channel."""
    return weight.square().sum(dim=(0, 2, 3)).sqrt()


def _strongest(scales: Tensor, norms: Tensor, count: int) -> Tensor:
    """The indices of the ``count`` strongest channels, in ascending order."""
    if count > len(scales):
        raise ValueError(f"{count} channels cannot be chosen of {len(scales)}: lower the width")
    return (scales * norms).topk(count).indices.sort().values


_RATE = 1e-2


def warm_start(encoder: ClipResNet, weights: dict[str, Tensor], batches: Iterable[Tensor]) -> float:
    """Fill ``encoder``'s stages with the strongest channels of ``weights``
    (`keras_resnet.read_weights`), and train its stem to give the map that they expect.

    ``batches`` are pictures ``(B, 3, H, W)``, normalised RGB, to train the stem on. Returns the
    share of the map's variance that the stem leaves unexplained in the last batch. The attention
    pool is unchanged. Raises ValueError without pictures, and for an encoder wider than
    ``weights``.
    """
    wide = stages(weights)
    chosen = None
    unexplained = math.inf
    optimiser = torch.optim.Adam(_stem_parameters(encoder), lr=_RATE)
    encoder.train()
    for pictures in batches:
        target = first_map(weights, pictures)
        if chosen is None:
            chosen = strongest_stem_channels(wide, target.std(dim=(0, 2, 3)), encoder.width)
            _scale(encoder.bn3, target[:, chosen])
        with torch.autocast("cpu", torch.bfloat16):
            output = encoder.stem(pictures)
        loss = F.mse_loss(output.float(), target[:, chosen]) / target[:, chosen].var()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        unexplained = loss.item()
    if chosen is None:
        raise ValueError("a warm start needs pictures to train the stem on")
    blocks = [len(stage) for stage in _stages(encoder)]
    encoder.load_state_dict(narrowed(wide, chosen, encoder.width, blocks), strict=False)
    return unexplained


def _stages(encoder: ClipResNet) -> list[torch.nn.Sequential]:
    return [encoder.layer1, encoder.layer2, encoder.layer3, encoder.layer4]


def _scale(norm: torch.nn.BatchNorm2d, target: Tensor) -> None:
    """Initialise the stem's last normalisation to the mean and deviation of ``target``."""
    with torch.no_grad():
        norm.weight.copy_(target.std(dim=(0, 2, 3)))
        norm.bias.copy_(target.mean(dim=(0, 2, 3)))


def _stem_parameters(encoder: ClipResNet) -> list[torch.nn.Parameter]:
    modules = (encoder.conv1, encoder.bn1, encoder.conv2, encoder.bn2, encoder.conv3, encoder.bn3)
    return [parameter for module in modules for parameter in module.parameters()]


_POSITIONS = "model.trunk.encoder.attnpool.positional_embedding"
_ENCODER = "model.trunk.encoder."


def load_start(path: Path, recipe: ModelRecipe) -> dict[str, Tensor]:
    """The weights of a `save_model` file, or of the last checkpoint in a training's folder, for
    pictures of the recipe's size; names are those of `Parts`.

    Raises ValueError when there is nothing to start from, as `load_model` and `load_checkpoint`,
    and for a model of standardised pictures when the recipe does not standardise.
    """
    state, theirs = _from_training(path) if path.is_dir() else _from_model_file(path)
    if theirs.standardise and not recipe.standardise:
        raise ValueError(
            f"{path} was trained on standardised pictures: "
            "set model.standardise to true in the recipe"
        )
    old, new = (grid_of(one.image_size, 16, 16) for one in (theirs, recipe))
    if old != new and _POSITIONS in state:
        state[_POSITIONS] = stretched(state[_POSITIONS], old, new)
    return state


def apply_start(parts: Parts, start: dict[str, Tensor]) -> None:
    """Copy the weights that fit into ``parts``; those outside the image encoder may be missing.

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


def _from_model_file(path: Path) -> tuple[dict[str, Tensor], ModelRecipe]:
    embedder, recipe = load_model(path)
    return {f"model.{name}": value for name, value in embedder.state_dict().items()}, recipe


def _from_training(folder: Path) -> tuple[dict[str, Tensor], ModelRecipe]:
    content = load_checkpoint(folder / "checkpoints")
    if content is None:
        raise ValueError(f"{folder} holds no training to start from")
    return content["parts"], ModelRecipe(**content["recipe"]["model"])
