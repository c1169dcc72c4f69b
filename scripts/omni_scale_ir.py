"""Open Model Zoo's omni-scale networks: OpenVINO files (.xml and .bin) as weights of `OmniScale`.

The files name few of their weights, but list the operations in the order of the network.
"""

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import torch
from torch import Tensor, nn

from reid_model.networks.omni_scale import ChannelScale, OmniScale, OmniScaleBlock

_FLOATS = {"f16": np.float16, "f32": np.float32}


def read_omni_scale(path: Path, width: int) -> OmniScale:
    """The network of an ``.xml`` file with its ``.bin`` beside it, in eval mode, in float32.

    It takes normalised RGB where the file takes BGR 0..255. Raises ValueError when a file is
    missing, damaged or does not hold an omni-scale network of this width.
    """
    weights = _Weights(path)
    network = OmniScale(width)
    weights.take("Subtract", "Multiply")  # the file's own normalisation
    with torch.no_grad():
        for module in _in_order(network):
            _fill(module, weights)
    weights.end()
    return network.eval()


class _Weights:
    """The weights of a file, one after the other, each with the operation that it belongs to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._left = _weights_of(path)

    def take(self, *operations: str) -> list[Tensor]:
        """The weights of the next operations. Raises ValueError when others come next."""
        found = []
        for wanted in operations:
            operation, weight = next(self._left, ("nothing", torch.empty(0)))
            if operation != wanted:
                raise ValueError(f"{self._path}: expected {wanted}, found {operation}")
            found.append(weight)
        return found

    def end(self) -> None:
        """Raises ValueError when something is left."""
        if (left := next(self._left, None)) is not None:
            raise ValueError(f"{self._path}: {left[0]} is one operation too many")


def _weights_of(path: Path) -> Iterator[tuple[str, Tensor]]:
    """Every operation with a constant of floats as an input, and that constant, in order."""
    try:
        root = ElementTree.parse(path).getroot()
        data = path.with_suffix(".bin").read_bytes()
    except (OSError, ElementTree.ParseError) as error:
        raise ValueError(f"{path} and its .bin are no network of OpenVINO") from error
    layers = {layer.attrib["id"]: layer for layer in root.iterfind("layers/layer")}
    sources: dict[str, list[str]] = {}
    for edge in root.iterfind("edges/edge"):
        sources.setdefault(edge.attrib["to-layer"], []).append(edge.attrib["from-layer"])
    for name, layer in layers.items():
        if layer.attrib["type"] == "Convert":
            continue
        for source in sources.get(name, []):
            if layers[source].attrib["type"] == "Convert":
                source = sources[source][0]
            if (value := _constant(layers[source], data)) is not None:
                yield layer.attrib["type"], value


def _constant(layer: ElementTree.Element, data: bytes) -> Tensor | None:
    about = layer.find("data")
    if layer.attrib["type"] != "Const" or about is None:
        return None
    kind = _FLOATS.get(about.attrib["element_type"])
    if kind is None:
        return None
    start, size = int(about.attrib["offset"]), int(about.attrib["size"])
    values = np.frombuffer(data[start : start + size], kind).astype(np.float32)
    shape = [int(side) for side in about.attrib["shape"].split(",")]
    return torch.from_numpy(values.reshape(shape))


def _in_order(network: OmniScale) -> Iterator[nn.Module]:
    """What holds weights, in the order of the file. A gate comes once for each of its streams."""
    for layer in network.children():
        for part in _parts(layer):
            yield from _block(part) if isinstance(part, OmniScaleBlock) else _leaves(part)


def _parts(layer: nn.Module) -> Iterator[nn.Module]:
    return iter(layer) if isinstance(layer, nn.Sequential) else iter([layer])


def _block(block: OmniScaleBlock) -> Iterator[nn.Module]:
    yield from _leaves(block.reduce)
    for stream in block.streams:
        yield from _leaves(stream)
        yield from _leaves(block.gate)
    yield from _leaves(block.expand)
    yield from _leaves(block.shortcut)


def _leaves(module: nn.Module) -> Iterator[nn.Module]:
    return (leaf for leaf in module.modules() if not any(True for _ in leaf.children()))


def _fill(module: nn.Module, weights: _Weights) -> None:
    """Give a module its weights; one without any takes none."""
    names = [name for name, _ in module.named_parameters()]
    for name, value in zip(names, weights.take(*_operations(module)), strict=True):
        own = module.get_parameter(name)
        if own.numel() != value.numel():
            raise ValueError(
                f"expected weights of shape {tuple(own.shape)}, got {tuple(value.shape)}"
            )
        own.copy_(value.reshape(own.shape))


def _operations(module: nn.Module) -> list[str]:
    if isinstance(module, nn.Conv2d):
        kind = "Convolution" if module.groups == 1 else "GroupConvolution"
        return [kind] if module.bias is None else [kind, "Add"]
    if isinstance(module, nn.InstanceNorm2d | nn.GroupNorm | ChannelScale):
        return ["Multiply", "Add"]
    if isinstance(module, nn.Linear):
        return ["MatMul", "Add"]
    return ["PReLU"] if isinstance(module, nn.PReLU) else []
