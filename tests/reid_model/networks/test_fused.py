"""The fused model, narrow and shallow, on small pictures; the full size is in test_parameters."""

import json
from dataclasses import FrozenInstanceError, asdict

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reid_model.losses import Stage2Weights, stage2_loss
from reid_model.networks.clip_resnet import ClipResNet
from reid_model.networks.fused import FusedModel, FusedOptions
from reid_model.networks.text_guidance import TextGuidance
from reid_model.openvino_runtime import import_openvino

WIDTH, PROJECTED, CLASSES = 4, 12, 5
#: f_img and f_proj together
EMBEDDED = 32 * WIDTH + PROJECTED
VARIANTS = [
    {},
    {"mscsa_modules": 4, "normalisation": "count", "embedding": "after"},
    {"spatial": "literal", "scale": "inverse_sqrt"},
]


def new_encoder() -> ClipResNet:
    return ClipResNet(width=WIDTH, layers=(1, 2, 1, 1), output_dim=PROJECTED, image_size=(64, 32))


def new_model(**options: object) -> FusedModel:
    torch.manual_seed(1)
    return FusedModel(new_encoder(), CLASSES, **options)


def trained(**options: object) -> FusedModel:
    """A model in eval mode in which no part is the identity and no statistic is zero or one."""
    model = new_model(**options)
    for name, tensor in model.state_dict().items():
        if "running_mean" in name:
            nn.init.normal_(tensor, std=0.1)
        elif tensor.ndim == 1 and tensor.is_floating_point():
            nn.init.uniform_(tensor, 0.5, 1.5)
    return model.eval()


def pictures(count: int = 3) -> Tensor:
    return torch.randn(count, 3, 64, 32, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("modules", [1, 2, 3, 4])
def test_new_modules_change_nothing(modules: int) -> None:
    without = trained(mscsa_modules=0)
    model = new_model(mscsa_modules=modules).eval()
    missing, unexpected = model.load_state_dict(without.state_dict(), strict=False)
    assert unexpected == []
    assert {name.split(".")[2] for name in missing} == {str(m) for m in range(modules)}
    with torch.inference_mode():
        # Not to the last bit: a map that was added to lies in memory in another order.
        found, expected = model(pictures()), without(pictures())
        for ours, theirs in zip(found.features, expected.features, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(found.y3, expected.y3, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(model.embed(pictures()), without.embed(pictures()))


@pytest.mark.parametrize("modules", [0, 1, 2, 3, 4])
def test_each_output_replaces_the_stages_and_is_the_next_low_map(modules: int) -> None:
    model = trained(mscsa_modules=modules)
    encoder, mscsa = model.trunk.encoder, model.trunk.mscsa
    assert len(mscsa) == modules
    with torch.inference_mode():
        found = model.features(pictures())
        maps = [encoder.stem(pictures())]
        layers = (encoder.layer1, encoder.layer2, encoder.layer3, encoder.layer4)
        for index, layer in enumerate(layers):
            high = layer(maps[-1])
            maps.append(mscsa[index](high, maps[-1]) if index < modules else high)
        torch.testing.assert_close(found.y3, maps[3])
        torch.testing.assert_close(found.f_last, maps[3].flatten(2).mean(dim=2))
        torch.testing.assert_close(found.f_img, maps[4].flatten(2).mean(dim=2))
        tokens = encoder.attnpool(maps[4])
        torch.testing.assert_close(found.f_proj, tokens[:, 0], rtol=2e-5, atol=2e-5)


def test_shapes() -> None:
    output = new_model()(pictures())
    assert [score.shape for score in output.scores] == [(3, CLASSES)] * 2
    assert [f.shape for f in output.features] == [(3, 16 * WIDTH), (3, 32 * WIDTH), (3, PROJECTED)]
    assert output.f_proj is output.features[2]
    assert output.y3.shape == (3, 16 * WIDTH, 4, 2)
    with pytest.raises(FrozenInstanceError):
        output.y3 = output.f_proj


def test_necks_and_classifiers() -> None:
    model = new_model()
    for neck in (model.neck_img, model.neck_proj):
        assert not neck.bias.requires_grad
        assert neck.bias.abs().max() == 0
        assert neck.weight.min() == neck.weight.max() == 1
    for classifier in (model.classifier_img, model.classifier_proj):
        assert classifier.bias is None
    spread = torch.cat(
        [model.classifier_img.weight.flatten(), model.classifier_proj.weight.flatten()]
    )
    assert spread.std().item() == pytest.approx(0.001, rel=0.1)
    model = trained()
    output = model(pictures())
    norm = F.batch_norm(
        output.features[1],
        model.neck_img.running_mean,
        model.neck_img.running_var,
        model.neck_img.weight,
        model.neck_img.bias,
    )
    torch.testing.assert_close(output.scores[0], norm @ model.classifier_img.weight.T)


@pytest.mark.parametrize("embedding", ["before", "after"])
def test_the_embedding_is_one_unit_vector(embedding: str) -> None:
    model = trained(embedding=embedding)
    with torch.inference_mode():
        found = model.embed(pictures())
        features = model.features(pictures())
        f_img, f_proj = features.f_img, features.f_proj
        if embedding == "after":
            f_img, f_proj = model.neck_img(f_img), model.neck_proj(f_proj)
    joined = torch.cat([f_img, f_proj], dim=1)
    torch.testing.assert_close(found, joined / joined.norm(dim=1, keepdim=True))
    assert found.shape == (3, EMBEDDED)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(3))


def test_before_and_after_the_necks_differ() -> None:
    before, after = trained(), trained(embedding="after")
    cosines = (before.embed(pictures()) * after.embed(pictures())).sum(dim=1)
    assert cosines.max() < 0.999


def test_one_picture_has_the_embedding_that_it_has_among_others() -> None:
    model = trained()
    with torch.inference_mode():
        torch.testing.assert_close(model.embed(pictures())[1:2], model.embed(pictures()[1:2]))


def test_no_pictures() -> None:
    assert trained().embed(pictures(0)).shape == (0, EMBEDDED)


def test_a_standardised_picture_is_the_same_in_any_light() -> None:
    light = torch.tensor([0.5, 1.7, 1.0])[:, None, None], torch.tensor([0.3, -1.0, 0.2])
    other = pictures() * light[0] + light[1][:, None, None]
    plain, model = trained(), trained(standardise=True)
    model.load_state_dict(plain.state_dict())
    with torch.inference_mode():
        torch.testing.assert_close(model.embed(other), model.embed(pictures()), rtol=0, atol=1e-5)
        assert (plain.embed(other) - plain.embed(pictures())).abs().max() > 1e-3
        flat = model.embed(torch.full_like(pictures(), 0.7))
        torch.testing.assert_close(flat, model.embed(torch.zeros_like(pictures())))
        assert model.embed(pictures(0)).shape == (0, EMBEDDED)


def test_options_rebuild_the_model_from_a_file() -> None:
    model = trained(mscsa_modules=2, spatial="literal", embedding="after")
    written = json.dumps(asdict(model.options))
    assert model.options == FusedOptions(CLASSES, 2, spatial="literal", embedding="after")
    again = FusedModel(new_encoder(), **json.loads(written)).eval()
    assert again.options == model.options
    again.load_state_dict(model.state_dict())
    assert torch.equal(again.embed(pictures()), model.embed(pictures()))


@pytest.mark.parametrize("embedding", ["before", "after"])
def test_what_is_deployed_has_no_heads_and_loads_by_its_own_names(embedding: str) -> None:
    model = trained(embedding=embedding)
    state = model.deploy().state_dict()
    extra = {name.split(".")[0] for name in model.state_dict().keys() - state.keys()}
    necks = {"neck_img", "neck_proj"} if embedding == "before" else set()
    assert extra == {"classifier_img", "classifier_proj"} | necks
    assert state.keys() < model.state_dict().keys()
    other = new_model(embedding=embedding).deploy().eval()
    other.load_state_dict(state)
    assert torch.equal(other(pictures()), model.embed(pictures()))


def test_deploying_changes_no_modes() -> None:
    model = new_model()
    model.trunk.encoder.eval()
    view = model.deploy()
    assert view.training
    assert model.trunk.mscsa.training
    assert not model.trunk.encoder.training
    assert view.trunk is model.trunk


# The converter traces with a function that PyTorch has deprecated.
@pytest.mark.filterwarnings("ignore:.torch.jit.trace:FutureWarning")
@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_what_is_deployed_exports(options: dict[str, object]) -> None:
    """By tracing, through OpenVINO, with another batch than the example's."""
    view = trained(**options).deploy()
    with torch.inference_mode():
        expected = view(pictures()).numpy()
    openvino = import_openvino()
    network = openvino.convert_model(view, example_input=pictures(2))
    compiled = openvino.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    np.testing.assert_allclose(compiled(pictures().numpy())[0], expected, atol=1e-5)


def test_gradients_of_the_second_stage() -> None:
    """They reach the whole image side, gamma and the guidance, but not the texts."""
    model = new_model().train()
    torch.manual_seed(3)
    guidance = TextGuidance(PROJECTED, 16 * WIDTH, width=8, heads=2)
    text = torch.randn(CLASSES, PROJECTED, requires_grad=True)
    output = model(pictures(6))
    output.f_proj.retain_grad()
    adapted = guidance(text, output.y3)
    labels = torch.tensor([0, 0, 1, 1, 4, 4])
    loss = stage2_loss(
        output.scores, output.features, output.f_proj, [adapted], labels, Stage2Weights()
    )
    loss.total.backward()
    encoder = model.trunk.encoder
    parts = [encoder.conv1, encoder.layer1, encoder.layer2, encoder.layer3, encoder.layer4]
    parts += [encoder.attnpool, *model.trunk.mscsa, guidance]
    parts += [model.classifier_img, model.classifier_proj, model.neck_img, model.neck_proj]
    # A bias that all keys share shifts every score alike, so the mean's token never learns one.
    encoder.attnpool.k_proj.bias.requires_grad_(False)
    for part in parts:
        assert max(float(p.grad.abs().max()) for p in part.parameters() if p.requires_grad) > 0
    assert guidance.gamma.grad.abs().max() > 0
    assert output.f_proj.grad.abs().max() > 0
    assert text.grad is None
    assert model.neck_img.bias.grad is None


def test_the_text_alone_teaches_the_first_three_stages_through_y3() -> None:
    model = trained()
    guidance = TextGuidance(PROJECTED, 16 * WIDTH, width=8, heads=2, gamma=0.1)
    output = model(pictures())
    guidance(torch.randn(CLASSES, PROJECTED), output.y3).square().sum().backward()
    encoder = model.trunk.encoder
    for part in (encoder.layer1, encoder.layer2, encoder.layer3, *model.trunk.mscsa):
        assert max(float(p.grad.abs().max()) for p in part.parameters()) > 0
    assert all(p.grad is None for p in encoder.layer4.parameters())
    assert all(p.grad is None for p in encoder.attnpool.parameters())


def test_mscsa_alone_can_learn_in_the_first_stage() -> None:
    """The encoder frozen and in eval mode, MSCSA in training, as while prompts are learned."""
    model = new_model().train()
    model.trunk.encoder.eval().requires_grad_(False)
    before = model.features(pictures()).f_proj
    before.square().sum().backward()
    assert all(p.grad is None for p in model.trunk.encoder.parameters())
    for module in model.trunk.mscsa:
        assert module.channel.norm.weight.grad.abs().max() > 0
        assert module.spatial.norm.weight.grad.abs().max() > 0


@pytest.mark.parametrize("width", [2, 6])
def test_widths_follow_the_encoder(width: int) -> None:
    encoder = ClipResNet(width=width, layers=(1, 1, 1, 1), output_dim=8, image_size=(32, 16))
    model = FusedModel(encoder, 3, mscsa_modules=4).eval()
    assert model.embed(torch.randn(2, 3, 32, 16)).shape == (2, 32 * width + 8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mscsa_modules": 5}, "mscsa_modules must be 0 to 4, got 5"),
        ({"mscsa_modules": -1}, "mscsa_modules must be 0 to 4, got -1"),
        ({"embedding": "both"}, "embedding must be one of before, after, projected, got 'both'"),
        ({"normalisation": "x"}, "normalisation must be one of"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        new_model(**options)


def test_a_model_without_classes_and_pictures_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="classes must be at least 1, got 0"):
        FusedModel(new_encoder(), 0)
    with pytest.raises(ValueError, match=r"pictures must be"):
        trained().embed(torch.zeros(1, 3, 64, 64))
