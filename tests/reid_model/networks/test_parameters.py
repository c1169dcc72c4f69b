"""The published counts at full size (on the meta device: shapes without memory)."""

import torch
from torch import nn

from reid_model.networks.clip_resnet import ClipResNet
from reid_model.networks.clip_transformer import VOCABULARY, ClipText, ClipViT
from reid_model.networks.fused import FusedModel
from reid_model.networks.parameters import count_parameters
from reid_model.networks.prompts import PromptLearner
from reid_model.networks.text_guidance import TextGuidance

TOWER = {"image encoder": 23_527_264, "attention pool": 14_951_424}
MSCSA = {"MSCSA 1": 63_264, "MSCSA 2": 594_048, "MSCSA 3": 2_367_744}
FOURTH = {"MSCSA 4": 9_454_080}


def total(counts: dict[str, int]) -> int:
    return sum(counts.values())


def test_the_encoder_alone() -> None:
    with torch.device("meta"):
        counts = count_parameters(ClipResNet())
    assert counts == TOWER
    assert total(counts) == 38_478_688


def test_the_model_for_msmt17_and_its_deployed_part() -> None:
    with torch.device("meta"):
        model = FusedModel(ClipResNet(), 1041)
    heads = {"necks": 6_144, "classifiers": 3_197_952}
    assert count_parameters(model) == TOWER | MSCSA | heads
    deployed = count_parameters(model.deploy())
    assert deployed == TOWER | MSCSA
    assert total(deployed) == 41_503_744


def test_four_modules_and_none() -> None:
    with torch.device("meta"):
        four = FusedModel(ClipResNet(), 2, mscsa_modules=4).deploy()
        none = FusedModel(ClipResNet(), 2, mscsa_modules=0).deploy()
    assert count_parameters(four) == TOWER | MSCSA | FOURTH
    assert count_parameters(none) == TOWER


def test_the_text_side() -> None:
    with torch.device("meta"):
        assert count_parameters(TextGuidance()) == {"text guidance": 3_949_824}
        text = count_parameters(ClipText())
    assert text == {"text encoder": 38_393_344, "token embedding": 25_296_896}
    prompts = PromptLearner(torch.zeros(VOCABULARY, 512), 1041)
    assert count_parameters(prompts) == {"prompts": 2_131_968}


def test_a_whole_training() -> None:
    with torch.device("meta"):
        whole = nn.ModuleDict({"model": FusedModel(ClipResNet(), 1041), "guidance": TextGuidance()})
    counts = count_parameters(whole)
    assert counts["text guidance"] == 3_949_824
    assert counts["classifiers"] == 3_197_952
    assert total(counts) == sum(p.numel() for p in whole.parameters())


def test_a_vit_is_one_part_and_unknown_modules_are_other() -> None:
    vit = ClipViT(width=8, layers=2, heads=2, output_dim=4, image_size=(32, 16))
    assert count_parameters(vit) == {"image encoder": sum(p.numel() for p in vit.parameters())}
    shared = nn.Conv2d(1, 2, 1)
    assert count_parameters(nn.Sequential(shared, shared)) == {"other": 4}
    assert count_parameters(nn.Identity()) == {}
