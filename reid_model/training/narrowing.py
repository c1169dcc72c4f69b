"""The stages of a wide `ClipResNet` with only their strongest channels, for a narrow one to start.

A channel's strength is what is written to it (through the batch normalisation) times what is read
from it. What is left is no working network, but a far better start than random numbers.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

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
