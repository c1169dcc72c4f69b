"""How many parameters each part of a model has."""

from itertools import count

from torch import nn

from reid_model.networks.clip_resnet import AttentionPool, ClipResNet
from reid_model.networks.clip_text import ClipText
from reid_model.networks.clip_vit import ClipViT
from reid_model.networks.mscsa import MSCSA
from reid_model.networks.omni_scale import OmniScale
from reid_model.networks.prompts import PromptLearner
from reid_model.networks.text_guidance import TextGuidance

_OTHER = "other"
#: What the modules of a type are called. All that is inside belongs to them, but for the modules
#: that have a name of their own.
_PARTS: dict[type[nn.Module], str] = {
    ClipResNet: "image encoder",
    ClipViT: "image encoder",
    OmniScale: "image encoder",
    AttentionPool: "attention pool",
    MSCSA: "MSCSA",
    nn.BatchNorm1d: "necks",
    nn.Linear: "classifiers",
    TextGuidance: "text guidance",
    ClipText: "text encoder",
    nn.Embedding: "token embedding",
    PromptLearner: "prompts",
}
#: Types that name a part only where no part that encloses them does.
_OUTERMOST = {nn.BatchNorm1d, nn.Linear}


def count_parameters(model: nn.Module) -> dict[str, int]:
    """Parameters, trained or frozen, by part; their sum is the whole model's.

    Several MSCSA are numbered in their order. A part without parameters is left out, a module
    that is shared counts once, and what belongs to no known part is ``other``.
    """
    numbers = count(1)
    parts = {"": _OTHER}  # by the name of the module
    counts: dict[str, int] = {}
    for name, module in model.named_modules():
        part = _part(module, parts[name.rpartition(".")[0]])
        parts[name] = f"{part} {next(numbers)}" if isinstance(module, MSCSA) else part
        own = sum(parameter.numel() for parameter in module.parameters(recurse=False))
        if own:
            counts[parts[name]] = counts.get(parts[name], 0) + own
    return counts


def _part(module: nn.Module, enclosing: str) -> str:
    if type(module) in _OUTERMOST and enclosing != _OTHER:
        return enclosing
    return _PARTS.get(type(module), enclosing)
