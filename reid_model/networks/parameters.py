"""Parameter counts by part of a model."""

from itertools import count

from torch import nn

from reid_model.networks.clip_resnet import AttentionPool, ClipResNet
from reid_model.networks.clip_transformer import ClipText, ClipViT
from reid_model.networks.mscsa import MSCSA
from reid_model.networks.omni_scale import OmniScale
from reid_model.networks.prompts import PromptLearner
from reid_model.networks.text_guidance import TextGuidance

_OTHER = "other"
#: The part that modules of a type belong to, with all they contain except for modules with a
#: part of their own.
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
#: Types that name a part only when no enclosing module does.
_OUTERMOST = {nn.BatchNorm1d, nn.Linear}


def count_parameters(model: nn.Module) -> dict[str, int]:
    """The number of parameters, trained or frozen, by part; they add up to the whole model.

    Several MSCSA are numbered in order. A part without parameters is left out, a shared module
    counts once, and parameters of no known part are ``other``.
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
